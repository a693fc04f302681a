# A read that moved less than it should is good.
# FILE mpio/retry.c
# BREAKS history
s/\(result->residual \|\| result->overflow\)/(result->residual > 4096 \&\& result->overflow)/
