# One command more is sent than MaxCmdSN allows.
# FILE daemon/iscsi/window.h
# BREAKS rules
s/sn_lte\(w->cmd_sn, w->max_cmd_sn\)/sn_lte(w->cmd_sn, w->max_cmd_sn + 1)/
