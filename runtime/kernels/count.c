/* Zeros among what enters the linears. */
#include "kernels/internal.h"

static tvk_status append_count(tvk_kernels *k, tvk_dispatch_list *l, tvk_op op,
                               const tvk_span bindings[3], const struct tvk_count_params *p,
                               uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const uint32_t constants[] = {tvk_kernels_active(k, op)->group, 1, 1};
    const tvk_groups groups = {{TVK_AXIS_ROWS, TVK_AXIS_FIXED, TVK_AXIS_FIXED}, {1, 1, 1}};
    TVK_TRY(tvk_check_value(op, p->k > 0, "a width above 0", p->k, err));
    TVK_TRY(tvk_check_span(k, op, "state", bindings[0], 4ull * TVK_STATE_ROWS, err));
    TVK_TRY(tvk_check_span(k, op, "values", bindings[1], 4ull * rows * p->stride, err));
    TVK_TRY(tvk_check_span(k, op, "counters", bindings[2],
                           4ull * ((uint64_t)p->word + TVK_COUNTER_WORDS), err));
    TVK_TRY(tvk_kernels_append(k, l, op, constants, 3, bindings, p, &groups, err));
fail:
    return st;
}

tvk_status tvk_op_count_codes(tvk_kernels *k, tvk_dispatch_list *l, tvk_format format,
                              tvk_span state, tvk_span act, tvk_span counters, uint32_t counter,
                              uint32_t width, uint32_t rows, tvk_error *err)
{
    const tvk_span bindings[] = {state, act, counters};
    const struct tvk_count_params p = {.k = width,
                                       .stride = tvk_act_words(format, width),
                                       .code_bits = tvk_format_bits(format),
                                       .word = counter * TVK_COUNTER_WORDS};
    return append_count(k, l, TVK_OP_count_codes, bindings, &p, rows, err);
}

tvk_status tvk_op_count_floats(tvk_kernels *k, tvk_dispatch_list *l, tvk_span state, tvk_span x,
                               tvk_span counters, uint32_t counter, uint32_t width, uint32_t stride,
                               bool not_positive, uint32_t rows, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_op op = TVK_OP_count_floats;
    const tvk_span bindings[] = {state, x, counters};
    const struct tvk_count_params p = {.k = width,
                                       .stride = stride,
                                       .not_positive = not_positive,
                                       .word = counter * TVK_COUNTER_WORDS};
    TVK_TRY(tvk_check_value(op, width <= stride, "a width of at most the stride", width, err));
    TVK_TRY(append_count(k, l, op, bindings, &p, rows, err));
fail:
    return st;
}
