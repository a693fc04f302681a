# A write whose path died is acknowledged without its status.
# FILE mpio/retry.c
# BREAKS history durable
s/v.path_dying = true;\n(\s*)count\(h, died, now\);/v.path_dying = true;\n\1v.action = RETRY_COMPLETE;\n\1count(h, died, now);/
