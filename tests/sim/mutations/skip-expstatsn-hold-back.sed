# ExpStatSN moves past a status that has not come.
# FILE daemon/iscsi/statsn.c
# BREAKS rules liveness
s/(void statsn_settle_other\([^{]*\{)/\1\n\tw->exp = sn_max(w->exp, sn + 1);\n\treturn;/
