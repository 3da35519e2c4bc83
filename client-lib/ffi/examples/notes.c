/* A note taker in C with GTK 4: one text per window. What makes it overwinter is marked with a star.
 *
 *     cc -DNOTES_VERSION=2 notes.c -o notes $(pkg-config --cflags --libs gtk4 overwinter)
 *
 * Version 1 calls its text `text`; version 2 calls it `body` and can wrap its lines.
 */
#include <gtk/gtk.h>
#include <overwinter.h>
#include <stdlib.h>

#ifndef NOTES_VERSION
#define NOTES_VERSION 2
#endif
#define ID "org.example.CNotes"
#define VERSION G_STRINGIFY(NOTES_VERSION) ".0"

/* * What is kept of a note, and how it got its present shape. */
#if NOTES_VERSION == 1
#define TEXT "text"
static const char *const FORM =
    "{ \"type\": \"" ID "/note\", \"version\": 1, \"schema\": \"{ caret: i64, text: text, .. }\" }";
#else
#define TEXT "body"
static const char *const FORM =
    "{ \"type\": \"" ID "/note\", \"version\": 2,"
    "  \"schema\": \"{ body: text, caret: i64, wrap: bool, .. }\","
    "  \"steps\": [ { \"from\": 1, \"schema\": \"{ caret: i64, text: text, .. }\","
    "    \"lenses\": [ { \"rename\": { \"from\": \"text\", \"to\": \"body\" } },"
    "                  { \"add\": { \"field\": \"wrap\", \"kind\": \"bool\", \"default\": true } } ] } ] }";
#endif

typedef struct {
    GtkWindow *window;
    GtkTextView *view;
    GtkTextBuffer *buffer;
    OwGroup *group;
    OwWindow *tie;
} Note;

static GtkApplication *application;
static OwSession *session;
static OwForm *form;

/* ── the note's own life ─────────────────────────────────────────────────────────────────────────────────────────── */

static void on_changed(GtkTextBuffer *buffer, gpointer note)
{
    (void)buffer;
    ow_group_changed(((Note *)note)->group); /* * saved within a second */
}

static gboolean on_close(GtkWindow *window, gpointer note)
{
    (void)window;
    ow_group_close(((Note *)note)->group); /* * the user wants it closed */
    return FALSE;
}

static Note *note_new(const char *text, int64_t caret, bool wrap)
{
    Note *note = g_new0(Note, 1);
    note->window = GTK_WINDOW(g_object_ref(gtk_application_window_new(application)));
    note->view = g_object_ref(GTK_TEXT_VIEW(gtk_text_view_new()));
    note->buffer = gtk_text_view_get_buffer(note->view);
    GtkTextIter at;
    gtk_text_buffer_set_text(note->buffer, text, -1);
    gtk_text_buffer_get_iter_at_offset(note->buffer, &at, (int)caret);
    gtk_text_buffer_place_cursor(note->buffer, &at);
    gtk_text_view_set_wrap_mode(note->view, wrap ? GTK_WRAP_WORD : GTK_WRAP_NONE);
    gtk_window_set_title(note->window, "A note in " VERSION);
    gtk_window_set_default_size(note->window, 480, 320);
    gtk_window_set_child(note->window, GTK_WIDGET(note->view));
    return note;
}

/* The group is known: from here on the note reports what happens to it. */
static void note_join(Note *note, OwGroup *group)
{
    note->group = group;
    note->tie = ow_gtk_bind(note->window, group, "main"); /* * before the window is presented */
    g_signal_connect(note->buffer, "changed", G_CALLBACK(on_changed), note);
    g_signal_connect(note->window, "close-request", G_CALLBACK(on_close), note);
    gtk_window_present(note->window);
    ow_window_ready(note->tie); /* * the next picture shows the content */
}

/* ── * how a note is taken from the screen and put back ──────────────────────────────────────────────────────────── */

static OwValue *note_capture(void *data)
{
    Note *note = data;
    GtkTextIter start, end, caret;
    gtk_text_buffer_get_bounds(note->buffer, &start, &end);
    gtk_text_buffer_get_iter_at_mark(note->buffer, &caret, gtk_text_buffer_get_insert(note->buffer));
    char *text = gtk_text_buffer_get_text(note->buffer, &start, &end, TRUE);
    OwValue *state = ow_map();
    ow_map_set(state, TEXT, ow_text(text));
    ow_map_set(state, "caret", ow_int(gtk_text_iter_get_offset(&caret)));
#if NOTES_VERSION > 1
    ow_map_set(state, "wrap", ow_bool(gtk_text_view_get_wrap_mode(note->view) != GTK_WRAP_NONE));
#endif
    g_free(text);
    return state;
}

static void note_adopt(void *data)
{
    gtk_widget_set_visible(GTK_WIDGET(((Note *)data)->window), TRUE);
}

static void note_retire(void *data)
{
    gtk_widget_set_visible(GTK_WIDGET(((Note *)data)->window), FALSE);
}

static void note_discard(void *data)
{
    gtk_window_destroy(((Note *)data)->window);
}

static void note_free(void *data)
{
    Note *note = data;
    g_signal_handlers_disconnect_by_data(note->buffer, note);
    g_signal_handlers_disconnect_by_data(note->window, note);
    g_object_unref(note->view);
    g_object_unref(note->window);
    ow_window_free(note->tie);
    ow_group_unref(note->group);
    g_free(note);
}

static OwDocument document_of(Note *note)
{
    return (OwDocument){
        .data = note,
        .capture = note_capture,
        .adopt = note_adopt,
        .retire = note_retire,
        .discard = note_discard,
        .free = note_free,
    };
}

static bool restore(void *data, size_t of, OwGroup *group, const OwValue *state, const OwValue *loss,
                    const char *reason, OwDocument *document)
{
    (void)data, (void)of, (void)loss, (void)reason;
    int64_t caret = 0;
    bool wrap = false;
    char *text = ow_text_copy(ow_get(state, TEXT));
    if (!text || !ow_as_int(ow_get(state, "caret"), &caret)) {
        ow_string_free(text);
        return false;
    }
#if NOTES_VERSION > 1
    ow_as_bool(ow_get(state, "wrap"), &wrap);
#endif
    Note *note = note_new(text, caret, wrap);
    ow_string_free(text);
    *document = document_of(note);
    ow_group_set_title(group, "A note");
    note_join(note, ow_group_ref(group));
    return true;
}

/* ── the application ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void on_startup(GApplication *app, gpointer data)
{
    (void)data;
    form = ow_form_parse(FORM); /* * who we are, and how a note comes back */
    if (!form)
        g_error("%s", ow_error());
    const OwForm *forms[] = {form};
    OwApp self = {.id = ID, .version = VERSION, .forms = forms, .form_count = 1, .restore = restore};
    session = ow_gtk_connect(&self, app);
    if (!session)
        g_error("%s", ow_error());
}

static void on_activate(GApplication *app, gpointer data)
{
    (void)app, (void)data;
    static bool activated = false;
    bool first = !activated;
    activated = true;
    if (first && g_strcmp0(ow_session_reason(session), "launch") != 0)
        return; /* * documents are about to be restored */
    Note *note = note_new("", 0, NOTES_VERSION > 1);
    OwDocument document = document_of(note);
    note_join(note, ow_session_open(session, form, "A note", &document));
}

int main(int argc, char **argv)
{
    application = gtk_application_new(ID, G_APPLICATION_DEFAULT_FLAGS);
    g_signal_connect(application, "startup", G_CALLBACK(on_startup), NULL);
    g_signal_connect(application, "activate", G_CALLBACK(on_activate), NULL);
    int status = g_application_run(G_APPLICATION(application), argc, argv);
    ow_session_free(session);
    ow_form_free(form);
    g_object_unref(application);
    return status;
}
