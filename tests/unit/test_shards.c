/* Models in several safetensors files: what is found where, and every way in which an index and its
 * shards can disagree. */
#define TEST_NAME "test_shards"
#define _POSIX_C_SOURCE 200809L
#include "hf_files.h"

#include "shards.h"

#define FOLDER "test_shards.folder"
#define A "model-00001-of-00002.safetensors"
#define B "model-00002-of-00002.safetensors"
#define INDEX "model.safetensors.index.json"

static void make_shard(const char *file, const char *first, const char *second)
{
    const char *names[2] = {first, second};
    hf_weights w = {0};
    for (int i = 0; i < 2; i++) {
        if (!names[i]) continue;
        hf_tensor(&w, names[i], "F32", 0, 2);
        put_f32(&w.data, (float)names[i][0]);
        put_f32(&w.data, 0.5f);
    }
    hf_save(&w, FOLDER, file);
}

static void make_index(const char *map)
{
    char text[1024];
    snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":%s}", map);
    hf_text(FOLDER, INDEX, text);
}

static void expect(tvk_status wanted, const char *part)
{
    tvk_shards *s = NULL;
    tvk_error err = {0};
    tvk_status st = tvk_shards_open(FOLDER, &s, &err);
    if (st != wanted || !strstr(err.text, part))
        fail_msg("%s '%s' expected, %s '%s' found", tvk_status_name(wanted), part,
                 tvk_status_name(st), err.text);
    assert_null(s);
}

static void reads(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    tvk_shards *s = NULL;
    tvk_error err = {0};
    (void)state;
    make_shard(A, "a", "c");
    make_shard(B, "b", NULL);
    make_index("{\"a\":\"" A "\",\"b\":\"" B "\",\"c\":\"" A "\"}");
    if (tvk_shards_open(FOLDER, &s, &err) != TVK_OK) fail_msg("%s", err.text);
    assert_int_equal(s->shard_count, 2);
    assert_int_equal(s->tensor_count, 3);
    for (int i = 0; i < 3; i++) {
        const uint32_t *at = tvk_shards_find(s, names[i]);
        float v = 0;
        assert_non_null(at);
        memcpy(&v, s->tensors[*at]->data, 4);
        assert_true(v == (float)names[i][0]);
    }
    assert_null(tvk_shards_find(s, "d"));
    tvk_shards_close(&s);
    /* one file goes before an index */
    make_shard("model.safetensors", "z", NULL);
    assert_int_equal(tvk_shards_open(FOLDER, &s, &err), TVK_OK);
    assert_int_equal(s->tensor_count, 1);
    tvk_shards_close(&s);
}

static void disagreements(void **state)
{
    (void)state;
    make_shard(A, "a", "c");
    make_index("{\"a\":\"" A "\",\"b\":\"" B "\",\"c\":\"" A "\"}");
    expect(TVK_ERR_IO, B);
    make_shard(B, "d", NULL);
    expect(TVK_ERR_FORMAT, B ": tensor 'b' expected");
    make_shard(B, "b", "d");
    expect(TVK_ERR_FORMAT, B ": tensor 'd' is in this file, " INDEX " has it in none");
    make_shard(B, "b", "c");
    expect(TVK_ERR_FORMAT, B ": tensor 'c' is in this file, " INDEX " has it in " A);
    make_shard(B, "b", NULL);
    make_index("{\"a\":\"" A "\",\"b\":\"" A "\",\"c\":\"" A "\"}");
    expect(TVK_ERR_FORMAT, A ": tensor 'b' expected");
    hf_bytes(FOLDER, A, "\x08\0\0\0\0\0\0\0{", 9);
    expect(TVK_ERR_FORMAT, A ": no safetensors file, or cut short");
}

/* An index can name any file: only those of the folder are opened. */
static void foreign_files(void **state)
{
    static const char *const names[] = {
        "../model.safetensors",
        "/etc/model.safetensors",
        "sub/model.safetensors",
        "..\\\\model.safetensors",
        "c:model.safetensors",
        ".safetensors",
        ".x.safetensors",
        "model.bin",
        "",
    };
    char map[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(map, sizeof map, "{\"a\":\"%s\"}", names[i]);
        make_index(map);
        expect(TVK_ERR_FORMAT, "the name of a .safetensors file of the folder expected");
    }
    make_index("{\"a\":7}");
    expect(TVK_ERR_FORMAT, "something else");
    make_index("{}");
    expect(TVK_ERR_FORMAT, "weight_map: an object");
    make_index("[\"a\"]");
    expect(TVK_ERR_FORMAT, "weight_map: an object");
    make_index("{\"a\":\"" A "\",\"a\":\"" B "\"}");
    expect(TVK_ERR_FORMAT, INDEX ": line 1");
    hf_text(FOLDER, INDEX, "");
    expect(TVK_ERR_FORMAT, INDEX ": line 1");
}

static void other_folders(void **state)
{
    (void)state;
    mkdir(FOLDER, 0777);
    expect(TVK_ERR_IO, "model.safetensors or " INDEX " expected, neither found");
    hf_text(FOLDER, "pytorch_model.bin", "x");
    expect(TVK_ERR_UNSUPPORTED, "pytorch_model.bin found");
    make_shard(A, "a", NULL);
    expect(TVK_ERR_UNSUPPORTED, A " is there, but no " INDEX);
}

static int clean(void **state)
{
    (void)state;
    hf_remove(FOLDER);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(reads, clean),
        cmocka_unit_test_teardown(disagreements, clean),
        cmocka_unit_test_teardown(foreign_files, clean),
        cmocka_unit_test_teardown(other_folders, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
