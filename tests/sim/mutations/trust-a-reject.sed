# A command whose tag a Reject names is called done.
# FILE daemon/iscsi/reject.c
# BREAKS history stale
s/cure == UNDONE \? PATH_NOT_SENT : PATH_UNKNOWN,\n\s*-EREMOTEIO\)/PATH_DONE, 0)/
