/* Encoders and decoders of the packings in files. Ternary matrices are int8 codes -1, 0, +1,
 * row-major [N, K]. docs/formats.md has the bit layouts. Code 3 of a 2-bit pair is no value: it
 * decodes to 0. */
#ifndef TVK_LOADER_PACK_H
#define TVK_LOADER_PACK_H

#include <stdbool.h>
#include <stdint.h>

#define TVK_I2_S_TRAILER_BYTES 32

/* Hugging Face's uint8 [N/4, K]: bits 2i+1..2i of byte [r, c] are row r + i*N/4. N % 4 == 0. */
void tvk_unpack_hf_row(const uint8_t *packed, uint64_t n, uint64_t k, uint64_t row, int8_t *codes);
void tvk_pack_hf(const int8_t *codes, uint64_t n, uint64_t k, uint8_t *packed);

/* I2_S: blocks of 128 codes in 32 bytes over the whole matrix, then the trailer with its scale.
 * Unpacks codes [first, first + count) of a matrix; packs count % 128 == 0 codes. */
void tvk_unpack_i2_s(const uint8_t *packed, uint64_t first, uint64_t count, int8_t *codes);
void tvk_pack_i2_s(const int8_t *codes, uint64_t count, uint8_t *packed);
float tvk_i2_s_scale(const uint8_t *packed, uint64_t count);
void tvk_i2_s_trailer(float scale, uint8_t out[TVK_I2_S_TRAILER_BYTES]);

/* TQ2_0 and TQ1_0: blocks of 256 codes, each with an f16 scale. count % 256 == 0.
 * scales: [count / 256] f16 bits, or NULL. */
void tvk_unpack_tq2_0(const uint8_t *packed, uint64_t count, int8_t *codes, uint16_t *scales);
void tvk_pack_tq2_0(const int8_t *codes, uint64_t count, uint16_t scale, uint8_t *packed);
void tvk_unpack_tq1_0(const uint8_t *packed, uint64_t count, int8_t *codes, uint16_t *scales);
void tvk_pack_tq1_0(const int8_t *codes, uint64_t count, uint16_t scale, uint8_t *packed);

/* Q8_0: blocks of 32 values; scale max|x| / 127 as f16, quotients rounded half away from zero, as
 * ggml does. count % 32 == 0. */
void tvk_pack_q8_0(const float *x, uint64_t count, uint8_t *packed);
void tvk_unpack_q8_0(const uint8_t *packed, uint64_t count, float *x);

/* Q4_0: blocks of 32 codes of four bits and an f16 scale. count % 32 == 0. */
void tvk_unpack_q4_0(const uint8_t *packed, uint64_t count, float *x);

/* Q6_K: blocks of 256 codes of six bits, a signed byte of scale for each 16, and an f16 scale.
 * Codes and scales are chosen for the least squared error among a few. A block that holds a value
 * that is not finite, or scales beyond f16, decodes to anything. count % 256 == 0. */
void tvk_pack_q6_k(const float *x, uint64_t count, uint8_t *packed);
void tvk_unpack_q6_k(const uint8_t *packed, uint64_t count, float *x);

/* b1.58 absmean, arXiv 2402.17764: codes = clamp(roundEven(w * s), -1, 1), s = 1 / max(mean|w|,
 * 1e-5) in f32; the codes' multiplier is 1 / s. The sum of sizes is taken in f64 and rounded once;
 * a weight that is not finite makes s zero or NaN. */
float tvk_absmean(double sum_of_sizes, uint64_t count);
void tvk_absmean_codes(const float *w, uint64_t count, float s, int8_t *codes);

/* BitNet b1, arXiv 2310.11453: signs of w - mean(w), -1 for 0, and the scale mean|w|, of each of
 * `groups` slabs of the [n, k] matrix: of rows, or of columns. Means are summed in f64, row after
 * row, and rounded once to f32. bits: [n, ceil(k/8)], value k at bit k mod 8 of byte k / 8, 1 for
 * +1; scales: [groups]. The slabs must divide the matrix. */
void tvk_quantize_signs(const float *w, uint64_t n, uint64_t k, uint32_t groups, bool columns,
                        uint8_t *bits, float *scales);

#endif
