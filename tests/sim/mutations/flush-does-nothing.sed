# A flush is answered without the target.
# FILE mpio/flush.c
# BREAKS durable
s/(static bool has_cache\(const struct mpdev \*dev\)\n\{\n)/\1\tif (dev)\n\t\treturn false;\n/
