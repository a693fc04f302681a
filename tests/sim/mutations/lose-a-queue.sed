# What a dead path had is not sent again.
# FILE mpio/io.c
# BREAKS liveness
s/(loop_now\(dev->loop\)\);\n\telse)\n\t\tio_submit\(io\);\n\}/\1 if (!v.path_dying)\n\t\tio_submit(io);\n}/
