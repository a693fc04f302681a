# A flush is answered without the target.
# FILE mpio/flush.c
# BREAKS durable
s/(void flush_add\(struct mpdev \*dev, struct blk_req \*blk\)\n\{\n)/\1\tif (dev) {\n\t\tmpdev_answer(dev, blk, 0);\n\t\treturn;\n\t}\n/
