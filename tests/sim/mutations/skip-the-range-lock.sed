# Overlapping writes do not wait for each other.
# FILE mpio/rangelock.c
# BREAKS stale history
s/range->blockers = lock->total \? count\(lock, range\) : 0;/range->blockers = lock->total \&\& count(lock, range) > 1000;/
