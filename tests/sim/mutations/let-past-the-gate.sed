# What waits for the target's cache to be made good starts in the reverse order.
# FILE mpio/request.c
# BREAKS stale history
s/before = TAILQ_LAST\(gated, request_list\)/before = NULL/
