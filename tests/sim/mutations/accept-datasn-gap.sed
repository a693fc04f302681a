# Data-In after a gap are taken as if nothing was missing.
# FILE daemon/iscsi/task_in.c
# BREAKS history
s/if \(t->repair \|\| b->data_in.data_sn != t->data_sn\) \{/if (t->repair \&\& b->data_in.data_sn < t->data_sn) {/
s/t->received \+= len;\n\tt->data_sn\+\+;/t->received = b->data_in.offset + len;\n\tt->data_sn = b->data_in.data_sn + 1;/
