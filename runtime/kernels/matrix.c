/* Layouts of device matrices and activation records (docs/formats.md, "device packing"). */
#include "kernels/ops.h"

#include "base/check.h"

bool tvk_layout_coded(tvk_layout layout)
{
    return layout == TVK_LAYOUT_T2 || layout == TVK_LAYOUT_T1;
}

tvk_layout tvk_layout_dense(tvk_dtype type)
{
    switch (type) {
    case TVK_F16:
        return TVK_LAYOUT_F16;
    case TVK_Q8_0:
        return TVK_LAYOUT_Q8;
    case TVK_Q6_K:
        return TVK_LAYOUT_Q6;
    case TVK_Q4_0:
        return TVK_LAYOUT_Q4;
    default:
        return TVK_LAYOUT_F32;
    }
}

uint32_t tvk_layout_row_words(tvk_layout layout, uint32_t k)
{
    switch (layout) {
    case TVK_LAYOUT_T2_F32:
        if (k % 4) return 0;
        /* fall through */
    case TVK_LAYOUT_T2:
        return k <= UINT32_MAX - TVK_T2_ROW_ALIGN ? tvk_div_up(k, TVK_T2_ROW_ALIGN) * 8 : 0;
    case TVK_LAYOUT_T1:
        return k <= UINT32_MAX - TVK_T2_ROW_ALIGN ? tvk_div_up(k, TVK_T2_ROW_ALIGN) * 4 : 0;
    case TVK_LAYOUT_F32:
        return k % 4 ? 0 : k;
    case TVK_LAYOUT_F16:
        return k % 4 ? 0 : k / 2;
    case TVK_LAYOUT_Q8:
        return k % 32 ? 0 : k / 4;
    case TVK_LAYOUT_Q6:
        return k % 256 ? 0 : k / 256 * 48;
    case TVK_LAYOUT_Q4:
        return k % 32 ? 0 : tvk_div_up(k, 256) * 32;
    }
    return 0;
}

uint32_t tvk_layout_row_scales(tvk_layout layout, uint32_t k)
{
    switch (layout) {
    case TVK_LAYOUT_T2:
    case TVK_LAYOUT_T1:
        return 1;
    case TVK_LAYOUT_Q8:
        return k / 32;
    case TVK_LAYOUT_Q6:
        return k / 256 * 5;
    case TVK_LAYOUT_Q4:
        return tvk_div_up(k, 256) * 8;
    case TVK_LAYOUT_T2_F32:
        return tvk_div_up(k, 256);
    default:
        return 0;
    }
}

uint32_t tvk_format_bits(tvk_format format)
{
    return format == TVK_FORMAT_I4 || format == TVK_FORMAT_FP4 ? 4 : 8;
}

uint32_t tvk_act_words(tvk_format format, uint32_t k)
{
    uint32_t words = TVK_T2_ROW_ALIGN * tvk_format_bits(format) / 32;
    return TVK_ACT_HEADER_WORDS + tvk_div_up(k, TVK_T2_ROW_ALIGN) * words;
}

uint32_t tvk_list_words(uint32_t k)
{
    return (uint32_t)tvk_round_up(k, TVK_T2_ROW_ALIGN);
}

uint32_t tvk_kmajor_words(uint32_t rows)
{
    return tvk_div_up(rows, TVK_KMAJOR_ALIGN) * (TVK_KMAJOR_ALIGN / 16);
}

uint32_t tvk_up_words(uint32_t f)
{
    return 2 * f + TVK_ROWS_HEADER_WORDS;
}

tvk_matrix tvk_matrix_head(const tvk_matrix *w, uint32_t rows)
{
    tvk_matrix head = *w;
    head.n = rows;
    head.piece_count = 0;
    for (uint32_t i = 0; i < w->piece_count && w->piece[i].first < rows; i++) {
        uint32_t left = rows - w->piece[i].first;
        if (head.piece[i].rows > left) head.piece[i].rows = left;
        head.piece[i].kmajor = (tvk_span){0}; /* its words depend on the number of rows */
        head.piece_count++;
    }
    return head;
}
