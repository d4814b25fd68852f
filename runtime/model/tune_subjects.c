/* What the tuner has to measure: shapes of a step, and what may run them. */
#include "model/tuner.h"

bool tvk_same_choice(tvk_choice a, tvk_choice b)
{
    return a.row == b.row && a.config == b.config;
}

static bool exact(tvk_choice c)
{
    return (tvk_shader_get(c.row)->caps & TVK_CAP_INEXACT) == 0;
}

static void add_candidate(tvk_subject *s, tvk_choice c)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (tvk_same_choice(s->list[i].choice, c)) return;
    if (s->count < TVK_MAX_CANDIDATES)
        s->list[s->count++] = (tvk_candidate){.choice = c, .exact = exact(c)};
}

/* For one output row alone: the tuner's steps have several, and leave it without workgroups. */
static bool left_out(const tvk_dispatch *d)
{
    for (int axis = 0; axis < 3; axis++)
        if (d->groups.kind[axis] == TVK_AXIS_ONE) return true;
    return false;
}

/* The shape of a dispatch where nothing is known of it and there is a choice; else NULL. */
static const tvk_shape_choice *question(const tvk_kernels *k, const tvk_dispatch *d)
{
    const tvk_shape_choice *s = d->shape ? tvk_kernels_shape(k, d->shape - 1) : NULL;
    tvk_choice two[2];
    if (!s || s->preferred || left_out(d)) return NULL;
    return tvk_kernels_candidates(k, &s->shape, two, 2) == 2 ? s : NULL;
}

bool tvk_tuner_asks(const tvk_model *m)
{
    for (int s = 0; s < TVK_STEP_COUNT; s++) {
        const tvk_dispatch_list *list = &m->steps[s].graph.list;
        for (uint32_t i = 0; i < list->count; i++)
            if (question(m->kernels, &list->items[i])) return true;
    }
    return false;
}

void tvk_tuner_find(tvk_tuner *t, const tvk_step *step)
{
    const tvk_kernels *k = t->m->kernels;
    tvk_choice all[TVK_MAX_CANDIDATES];
    t->count = t->most = 0;
    for (uint32_t i = 0; i < step->graph.list.count && t->count < TVK_MAX_SUBJECTS; i++) {
        const tvk_dispatch *d = &step->graph.list.items[i];
        const tvk_shape_choice *shape = question(k, d);
        tvk_subject *s = &t->subjects[t->count];
        uint32_t n, seen = 0;
        while (seen < t->count && t->subjects[seen].id != d->shape) seen++;
        if (!shape || seen < t->count) continue;
        *s = (tvk_subject){.id = d->shape,
                           .shape = shape->shape,
                           .reference = tvk_kernels_reference(k, shape->shape.op)};
        add_candidate(s, shape->choice);
        n = tvk_kernels_candidates(k, &shape->shape, all, TVK_MAX_CANDIDATES);
        for (uint32_t c = 0; c < n; c++) add_candidate(s, all[c]);
        if (s->count > t->most) t->most = s->count;
        t->count++;
    }
}
