/* The shared byte vectors, held by the C interface alone. Arguments: values.json states.json */
#include <math.h>
#include <overwinter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

static void fail(const char *what, const char *name)
{
    const char *why = ow_error();
    fprintf(stderr, "%s: %s (%s)\n", name, what, why ? why : "no error");
    exit(1);
}

static OwValue *read_json(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail("cannot be opened", path);
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    if (!text || fread(text, 1, (size_t)size, file) != (size_t)size)
        fail("cannot be read", path);
    fclose(file);
    OwValue *json = ow_from_json(text);
    if (!json)
        fail("is not JSON", path);
    free(text);
    return json;
}

static OwValue *unhex(const char *hex)
{
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = malloc(len + 1);
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        bytes[i] = (uint8_t)byte;
    }
    OwValue *value = ow_bytes(bytes, len);
    free(bytes);
    return value;
}

/* The one string of a map with that one name, or null. */
static char *tag(const OwValue *map, const char *name)
{
    return ow_len(map) == 1 ? ow_text_copy(ow_get(map, name)) : NULL;
}

static OwValue *untagged(const OwValue *json)
{
    char *text;
    OwValue *value;
    if (ow_kind(json) == OW_KIND_LIST) {
        value = ow_list();
        for (size_t i = 0; i < ow_len(json); i++)
            ow_list_add(value, untagged(ow_at(json, i)));
    } else if (ow_kind(json) != OW_KIND_MAP) {
        value = ow_copy(json);
    } else if ((text = tag(json, "$bytes"))) {
        value = unhex(text);
        ow_string_free(text);
    } else if ((text = tag(json, "$int"))) {
        value = text[0] == '-' ? ow_int(strtoll(text, NULL, 10)) : ow_uint(strtoull(text, NULL, 10));
        ow_string_free(text);
    } else if ((text = tag(json, "$float"))) {
        value = ow_float(strtod(text, NULL));
        ow_string_free(text);
    } else {
        value = ow_map();
        for (size_t i = 0; i < ow_len(json); i++) {
            const char *start;
            size_t len;
            const OwValue *entry = ow_entry(json, i, &start, &len);
            char *name = calloc(1, len + 1);
            memcpy(name, start, len);
            ow_map_set(value, name, untagged(entry));
            free(name);
        }
    }
    return value;
}

static void same_bytes(OwSaved saved, const OwValue *hex, const char *name)
{
    char *text = ow_text_copy(hex);
    OwValue *expected = unhex(text);
    OwValue *found = ow_bytes(saved.bytes, saved.len);
    if (!ow_equal(expected, found))
        fail("the bytes are others", name);
    ow_free(expected), ow_free(found), ow_string_free(text);
}

static void values(const OwValue *vectors)
{
    const OwValue *all = ow_get(vectors, "values");
    for (size_t i = 0; i < ow_len(all); i++) {
        char *name = ow_to_json(ow_at(all, i));
        OwValue *value = untagged(ow_get(ow_at(all, i), "value"));
        OwSaved saved;
        if (!ow_encode(value, &saved))
            fail("is not encoded", name);
        same_bytes(saved, ow_get(ow_at(all, i), "cbor"), name);
        OwValue *back = ow_decode(saved.bytes, saved.len);
        if (!back || !ow_equal(back, value))
            fail("does not come back", name);
        ow_free(back), ow_free(value), ow_saved_free(saved), ow_string_free(name);
    }
    const OwValue *refused = ow_get(vectors, "refused");
    for (size_t i = 0; i < ow_len(refused); i++) {
        char *hex = ow_text_copy(ow_get(ow_at(refused, i), "cbor"));
        OwValue *value = unhex(hex);
        size_t len;
        const uint8_t *bytes = ow_as_bytes(value, &len);
        if (ow_decode(bytes, len))
            fail("is taken", hex);
        ow_free(value), ow_string_free(hex);
    }
}

/* What the steps made, by name. */
static struct {
    char *name;
    OwSaved saved;
    OwKept *kept;
} made[MOST];

static size_t find(const OwValue *name)
{
    if (!name)
        return MOST;
    char *text = ow_text_copy(name);
    size_t at = 0;
    while (at < MOST && (!made[at].name || strcmp(made[at].name, text) != 0))
        at++;
    if (at == MOST)
        fail("no such step came before", text);
    ow_string_free(text);
    return at;
}

static OwForm *form_of(const OwValue *vectors, const OwValue *step)
{
    char *name = ow_text_copy(ow_get(step, "form"));
    char *json = ow_to_json(ow_get(ow_get(vectors, "forms"), name));
    OwForm *form = ow_form_parse(json);
    if (!form)
        fail("is not understood", name);
    ow_string_free(json), ow_string_free(name);
    return form;
}

static void states(const OwValue *vectors)
{
    const OwValue *steps = ow_get(vectors, "steps");
    if (ow_len(steps) > MOST)
        fail("too many", "steps");
    for (size_t i = 0; i < ow_len(steps); i++) {
        const OwValue *step = ow_at(steps, i);
        OwForm *form = form_of(vectors, step);
        char *what = ow_text_copy(ow_get(step, "do"));
        char *name = ow_text_copy(ow_get(step, "name"));
        size_t of = find(ow_get(step, "of")), along = find(ow_get(step, "along"));
        OwValue *expected = ow_get(step, "state") ? untagged(ow_get(step, "state")) : NULL;
        OwValue *loss = NULL;
        if (strcmp(what, "save") == 0) {
            const OwKept *kept = along < MOST ? made[along].kept : NULL;
            if (!ow_save(form, expected, kept, &made[i].saved))
                fail("is not saved", name);
            same_bytes(made[i].saved, ow_get(step, "bytes"), name);
        } else {
            OwValue *state =
                ow_restore(form, made[of].saved.bytes, made[of].saved.len, &loss, &made[i].kept);
            bool refuse = strcmp(what, "refuse") == 0;
            if (refuse != !state)
                fail("is restored, or not", name);
            if (!refuse && (!ow_equal(state, expected) || !ow_equal(loss, ow_get(step, "loss"))))
                fail("the state or the loss is another", name);
            ow_free(state);
        }
        made[i].name = name;
        ow_free(expected), ow_free(loss), ow_string_free(what), ow_form_free(form);
    }
    for (size_t i = 0; i < MOST; i++)
        ow_string_free(made[i].name), ow_kept_free(made[i].kept), ow_saved_free(made[i].saved);
}

/* What a program may do wrong is told, and harms nothing. */
static void mistakes(void)
{
    OwValue *list = ow_list(), *map = ow_map();
    if (ow_list_add(list, list) || ow_map_set(map, "x", map) || ow_list_add(NULL, ow_null()))
        fail("is taken", "a value within itself");
    if (ow_text("\xff") || ow_text(NULL) || ow_text_copy(list) || ow_at(list, 0) || ow_get(map, "x"))
        fail("is taken", "no text");
    if (ow_form_parse("{}") || ow_form_parse(NULL) || ow_restore(NULL, NULL, 1, NULL, NULL))
        fail("is taken", "no form");
    if (ow_session_connect(NULL) || ow_group_ref(NULL) || ow_session_fd(NULL) != -1)
        fail("is taken", "no session");
    OwApp app = {.id = "org.example.Vectors"};
    if (ow_session_connect(&app))
        fail("is taken", "an app without a version");
    ow_session_free(NULL), ow_group_unref(NULL), ow_form_free(NULL), ow_kept_free(NULL), ow_free(NULL);
    ow_free(list), ow_free(map);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    OwValue *of_values = read_json(argv[1]), *of_states = read_json(argv[2]);
    values(of_values);
    states(of_states);
    mistakes();
    ow_free(of_values), ow_free(of_states);
    return 0;
}
