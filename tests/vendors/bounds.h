/* What a kernel may look like on a chip, and the exceptions from that (exceptions.txt). */
#ifndef TVK_TESTS_VENDORS_BOUNDS_H
#define TVK_TESTS_VENDORS_BOUNDS_H

#include "facts.h"

/* A chip of chips.txt. */
typedef struct chip_facts {
    const char *name;
    bool dot, matrix; /* has instructions for them that its driver offers */
} chip_facts;

typedef struct exceptions exceptions;

/* NULL after a line that names what is wrong with the file. */
exceptions *exceptions_read(const char *path);
void exceptions_free(exceptions **e);

/* Checks one kernel: a line on stderr for each bound that it breaks; returns how many. */
uint32_t bounds_check(const chip_facts *chip, const compiler *c, const exceptions *e,
                      const kernel_facts *k);
/* Checks what all of them together must show: that matrices are used where the chip has them. */
uint32_t bounds_check_all(const chip_facts *chip, const kernel_facts *list, uint32_t count);

#endif
