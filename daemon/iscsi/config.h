/* SPDX-License-Identifier: BSD-2-Clause */
/* A copy of struct iscsi_config that owns its strings and secrets. */
#ifndef UMPIO_ISCSI_CONFIG_H
#define UMPIO_ISCSI_CONFIG_H

#include <umpio/iscsi.h>

/* Deep copy of `from`, also of the secrets. 0; or -ENOMEM, and then `to` needs
 * no config_fini(). */
int config_copy(struct iscsi_config *to, const struct iscsi_config *from);

/* Other credentials, copied. 0; or -ENOMEM, and nothing has changed. */
int config_set_chap(struct iscsi_config *config, const struct iscsi_chap *chap);

/* Wipes the secrets and frees what the copy owns. */
void config_fini(struct iscsi_config *config);

#endif
