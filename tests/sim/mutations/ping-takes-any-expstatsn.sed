# A ping ahead of a Logout for recovery takes its ExpStatSN.
# FILE daemon/iscsi/conn.c
s/\(item->head\[0\] & 0x3f\) != OP_LOGOUT_REQ/item->head_len > 0/
