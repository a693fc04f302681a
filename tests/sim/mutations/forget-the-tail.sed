# An unaligned write does not read its last block first.
# FILE mpio/rmw.c
# BREAKS stale history
s/if \(!has_tail\(r\)\)\n\t\treturn 0;\n\treturn one_block\(r, x, r->end - 1, r->end - 1 - r->lba\);/if (r \&\& x)\n\t\treturn 0;\n\treturn one_block(r, x, r->end - 1, r->end - 1 - r->lba);/
