# What a dead path had is not sent again.
# FILE mpio/io.c
# BREAKS liveness
s/\telse\n\t\tio_submit\(io\);\n\}/\telse if (!v.path_dying)\n\t\tio_submit(io);\n}/
