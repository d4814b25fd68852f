#include "kernels_request.h"

#include <string.h>

bool kernels_wanted(const kernels_request *r, const char *op, const char *name,
                    const uint32_t shape[3])
{
    if (r->op && !strstr(op, r->op)) return false;
    if (r->name && !strstr(name, r->name)) return false;
    return !r->n || (shape[0] == r->n && shape[1] == r->k && shape[2] == r->t);
}
