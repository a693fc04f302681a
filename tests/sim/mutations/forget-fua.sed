# A FUA write is a plain one.
# FILE mpio/plan.c
# BREAKS durable
s/return r->blk->flags & BLK_FUA && r->dev->facts.write_cache;/return false \&\& r->dev->facts.write_cache;/
