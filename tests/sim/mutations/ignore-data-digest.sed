# Data are taken whatever their digest is.
# FILE daemon/iscsi/pdu_rx.c
# BREAKS history stale
s/return crc == get_le32\(trailer \+ pad\);/return crc == get_le32(trailer + pad) || true;/
