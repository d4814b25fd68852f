#include "base/half.h"
#include "session/session.h"

tvk_status tvk_slot_write(tvk_session *s, tvk_error *err)
{
    tvk_status st = TVK_OK;
    const tvk_sampler_params *p = &s->sampler;
    const tvk_state_layout *l = &s->model->layout;
    bool penalty = p->repeat_penalty > 0 && p->repeat_penalty != 1;
    bool top_p = p->top_p > 0 && p->top_p < 1;
    uint32_t w[TVK_SLOT_WORDS] = {0};
    w[TVK_SLOT_LEFT] = UINT32_MAX; /* the host counts: it asks for no more */
    w[TVK_SLOT_TEMPERATURE] = tvk_f32_bits(p->temperature);
    w[TVK_SLOT_INV_TEMPERATURE] = tvk_f32_bits(p->temperature > 0 ? 1.0f / p->temperature : 1.0f);
    w[TVK_SLOT_TOP_K] = p->top_k >= 1 && p->top_k < TVK_CANDIDATES ? p->top_k : TVK_CANDIDATES;
    w[TVK_SLOT_TOP_P] = tvk_f32_bits(top_p ? p->top_p : 1.0f);
    w[TVK_SLOT_MIN_P] = tvk_f32_bits(p->min_p > 0 ? p->min_p : 0.0f);
    w[TVK_SLOT_PENALTY] = tvk_f32_bits(penalty ? p->repeat_penalty : 1.0f);
    w[TVK_SLOT_INV_PENALTY] = tvk_f32_bits(penalty ? 1.0f / p->repeat_penalty : 1.0f);
    w[TVK_SLOT_LAST_N] = p->last_n ? p->last_n : TVK_SAMPLER_MAX_LAST_N;
    w[TVK_SLOT_SEED_LO] = (uint32_t)p->seed;
    w[TVK_SLOT_SEED_HI] = (uint32_t)(p->seed >> 32);
    w[TVK_SLOT_STOP_COUNT] = p->stop_count;
    for (uint32_t i = 0; i < p->stop_count; i++) w[TVK_SLOT_STOPS + i] = (uint32_t)p->stops[i];
    TVK_TRY(tvk_gpu_write(s->model->device,
                          tvk_span_sub(tvk_buffer_span(s->model->state),
                                       4 * ((uint64_t)l->slots_word + s->slot * TVK_SLOT_WORDS),
                                       sizeof w),
                          w, err));
    s->slot_stale = false;
fail:
    return st;
}
