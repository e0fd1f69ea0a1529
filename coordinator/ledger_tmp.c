#include "coordinator/ledger_state.h"
void ledger_check(const struct ledger *l){(void)l;}
void ledger_write(const struct ledger *l, struct buf *out){(void)l;(void)out;}
enum status ledger_read(struct ledger *l, struct bytes *in, struct fault *why){(void)l;(void)in;(void)why;return STATUS_OK;}
