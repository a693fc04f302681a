# A ping that overtakes others has a newer ExpStatSN than theirs.
# FILE daemon/iscsi/conn.c
# BREAKS rules
s/return get_be32\(item->head \+ 28\);\n\treturn c->stat.exp;/continue;\n\treturn c->stat.exp;/
