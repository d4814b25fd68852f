/* The C side of Ternvk.java: an example to copy into an application. Built as libternvk_jni.so and
 * linked with ternvk::tvk_loader, ternvk::tvk (docs/android.md). */
#include <jni.h>
#include <stdlib.h>
#include <string.h>

#include <ternvk/loader.h>
#include <ternvk/session.h>

#define LONGEST_TOKEN 256 /* bytes; real vocabularies end at half of that */

typedef struct engine {
    tvk_file *file;
    tvk_tokenizer *tokenizer;
    tvk_device *device;
    tvk_model *model;
    tvk_session *session;
    tvk_sampler_params sampler;
} engine;

/* A call of generate(): where the text goes. */
typedef struct writing {
    JNIEnv *env;
    jobject listener;
    jmethodID on_text;
    const engine *e;
    tvk_utf8_stream utf8;
} writing;

static void throw_text(JNIEnv *env, const char *text)
{
    jclass class = (*env)->FindClass(env, "java/lang/IllegalStateException");
    if (class) (*env)->ThrowNew(env, class, text);
}

/* The bytes with a zero behind them, to be freed; NULL after an exception. */
static char *take_bytes(JNIEnv *env, jbyteArray array, size_t *count)
{
    const jsize n = (*env)->GetArrayLength(env, array);
    char *bytes = malloc((size_t)n + 1);
    if (!bytes) {
        throw_text(env, "out of memory");
        return NULL;
    }
    (*env)->GetByteArrayRegion(env, array, 0, n, (jbyte *)bytes);
    bytes[n] = 0;
    *count = (size_t)n;
    return bytes;
}

static void close_engine(engine *e)
{
    if (!e) return;
    tvk_session_destroy(&e->session);
    tvk_model_destroy(&e->model);
    tvk_device_destroy(&e->device);
    tvk_tokenizer_destroy(&e->tokenizer);
    tvk_file_close(&e->file);
    free(e);
}

static tvk_status open_engine(engine *e, const char *path, uint32_t context, tvk_error *err)
{
    const tvk_device_params device = {
        0}; /* the best one; short submissions where it asks for them */
    const tvk_model_params model = {.context = context};
    tvk_status st = tvk_file_open(path, &e->file, err);
    if (st == TVK_OK) st = tvk_tokenizer_create(e->file, &e->tokenizer, err);
    if (st == TVK_OK) st = tvk_device_create(&device, &e->device, err);
    if (st == TVK_OK)
        st = tvk_model_create(e->device, tvk_file_source(e->file), &model, &e->model, err);
    if (st == TVK_OK) st = tvk_session_create(e->model, &e->session, err);
    return st;
}

JNIEXPORT jlong JNICALL Java_org_ternvk_Ternvk_open(JNIEnv *env, jclass class, jbyteArray model,
                                                    jint context)
{
    tvk_error err = {0};
    size_t bytes;
    char *path = take_bytes(env, model, &bytes);
    engine *e = path ? calloc(1, sizeof *e) : NULL;
    (void)class;
    if (path && !e) throw_text(env, "out of memory");
    if (e && open_engine(e, path, context > 0 ? (uint32_t)context : 0, &err) != TVK_OK) {
        throw_text(env, err.text);
        close_engine(e);
        e = NULL;
    }
    free(path);
    return (jlong)(intptr_t)e;
}

static bool on_token(void *user, int32_t token)
{
    writing *w = user;
    JNIEnv *env = w->env;
    char text[3 * (LONGEST_TOKEN + 4)];
    const char *bytes;
    size_t count, n;
    jbyteArray array;
    bool more;
    tvk_token_bytes(w->e->tokenizer, token, false, false, &bytes, &count);
    if (count > LONGEST_TOKEN) count = LONGEST_TOKEN;
    n = tvk_utf8_push(&w->utf8, bytes, count, false, text);
    if (n == 0) return true;
    array = (*env)->NewByteArray(env, (jsize)n);
    if (!array) return false;
    (*env)->SetByteArrayRegion(env, array, 0, (jsize)n, (const jbyte *)text);
    more = (*env)->CallBooleanMethod(env, w->listener, w->on_text, array);
    (*env)->DeleteLocalRef(env, array); /* there may be thousands before Java gets control back */
    return more && !(*env)->ExceptionCheck(env);
}

static tvk_status feed(engine *e, const char *prompt, size_t bytes, tvk_error *err)
{
    const bool first = tvk_session_position(e->session) == 0;
    int32_t *ids = NULL;
    uint32_t count = 0;
    tvk_status st = tvk_tokenize(e->tokenizer, prompt, bytes, first, false, &ids, &count, err);
    if (st == TVK_OK && count > 0) {
        const tvk_batch_item item = {.session = e->session, .tokens = ids, .count = count};
        st = tvk_eval(e->model, &item, 1, err);
    }
    free(ids);
    return st;
}

JNIEXPORT void JNICALL Java_org_ternvk_Ternvk_generate(JNIEnv *env, jclass class, jlong handle,
                                                       jbyteArray prompt, jint tokens,
                                                       jfloat temperature, jobject listener)
{
    engine *e = (engine *)(intptr_t)handle;
    jclass type = (*env)->GetObjectClass(env, listener);
    writing w = {.env = env, .listener = listener, .e = e};
    tvk_error err = {0};
    tvk_status st;
    size_t bytes;
    char *text;
    (void)class;
    w.on_text = (*env)->GetMethodID(env, type, "onText", "([B)Z");
    if (!w.on_text || !(text = take_bytes(env, prompt, &bytes))) return;
    e->sampler.temperature = temperature;
    e->sampler.top_k = 40;
    e->sampler.stop_count = tvk_tokenizer_stops(e->tokenizer, e->sampler.stops);
    st = tvk_session_set_sampler(e->session, &e->sampler, &err);
    if (st == TVK_OK) st = feed(e, text, bytes, &err);
    if (st == TVK_OK)
        st = tvk_session_generate(e->session, tokens > 0 ? (uint32_t)tokens : 0, on_token, &w, NULL,
                                  &err);
    free(text);
    if (st != TVK_OK && !(*env)->ExceptionCheck(env)) throw_text(env, err.text);
}

JNIEXPORT void JNICALL Java_org_ternvk_Ternvk_close(JNIEnv *env, jclass class, jlong handle)
{
    (void)env;
    (void)class;
    close_engine((engine *)(intptr_t)handle);
}
