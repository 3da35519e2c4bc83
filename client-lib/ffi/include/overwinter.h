/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Make an application overwinter: nothing its user has open is ever lost to an update, a crash, sleep or a reboot.
 * Made from client-lib/ffi/src by cbindgen; the guide is docs/guide-c.md. */

#ifndef OVERWINTER_H
#define OVERWINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A piece of state: null, yes or no, a number, text, bytes, a list, or a map with text keys. */
typedef struct OwValue OwValue;

// Where a copy stands.
typedef enum {
  // There is no session, or it does not know this group: a plain window.
  OW_STANDING_ALONE,
  // It is the group: it saves.
  OW_STANDING_LIVE,
  // Restored and inert, until it is adopted.
  OW_STANDING_TRIAL,
  // Its successor was adopted: inert, kept for undo.
  OW_STANDING_RETIRED,
  // Closed, released or discarded.
  OW_STANDING_GONE,
} OwStanding;

// What sort of thing an `OwValue` is.
typedef enum {
  // Nothing.
  OW_KIND_NULL,
  // Yes or no.
  OW_KIND_BOOL,
  // A whole number.
  OW_KIND_INT,
  // A floating-point number.
  OW_KIND_FLOAT,
  // UTF-8 text.
  OW_KIND_TEXT,
  // Raw bytes.
  OW_KIND_BYTES,
  // Values in order.
  OW_KIND_LIST,
  // Named values.
  OW_KIND_MAP,
} OwKind;

// A kind of document.
typedef struct OwForm OwForm;

// One copy of a group: one document with its windows.
typedef struct OwGroup OwGroup;

// What a restored state brought along that this version has no place for: it is saved along, so that the version that wrote it
// gets it back. Within a session the library does this by itself.
typedef struct OwKept OwKept;

// The connection to the session.
typedef struct OwSession OwSession;

#if defined(OVERWINTER_GTK)
// A GtkWindow that is tied to a group.
typedef struct OwWindow OwWindow;
#endif

// One document of the program, as the library calls it: always on the thread that dispatches.
typedef struct {
  // The program's own, handed to every call.
  void *data;
  // Its state now, a map of its form's fields; taken. Null, after `ow_fail`, when it cannot be said. Must be cheap. Also
  // called on a trial copy right after it was built, to compare it with what it was built from.
  OwValue *(*capture)(void *data);
  // This trial or retired copy is the document from now on: effects on files and network are allowed.
  void (*adopt)(void *data);
  // Another copy takes over: hide the windows, become inert, stay in memory. `adopt` or `discard` follows.
  void (*retire)(void *data);
  // Destroy the windows. Nothing is asked, nothing is written.
  void (*discard)(void *data);
  // A new session does not know this group: it goes on as a plain window. May be null.
  void (*disowned)(void *data);
  // Nothing is called any more: free `data`. May be null.
  void (*free)(void *data);
} OwDocument;

// What a program says of itself.
typedef struct {
  // As the .desktop file is called: `org.example.Notes`.
  const char *id;
  // For people.
  const char *version;
  // The kinds of document that it can restore.
  const OwForm *const *forms;
  // How many kinds there are.
  size_t form_count;
  // The program's own, handed to the calls below.
  void *data;
  // Builds an inert trial copy from a saved state, says its title (`ow_group_set_title`), and fills in `document`. `form` is
  // the place in `forms`. `group` is borrowed (`ow_group_ref` keeps it), as are `state` (a map of the fields of the form) and
  // `loss` (as of `ow_restore`). `reason` is one of "wake", "migrate", "rollback", "recover", "restore", "move", "pristine".
  // `false`, after `ow_fail`, when it cannot be done; `document` is not looked at then.
  bool (*restore)(void *data,
                  size_t form,
                  OwGroup *group,
                  const OwValue *state,
                  const OwValue *loss,
                  const char *reason,
                  OwDocument *document);
  // The last copy has been let go of: end the process. May be null.
  void (*quit)(void *data);
  // Give up (`false`) or take back (`true`) the well-known bus names of the program's own connection. May be null.
  bool (*names)(void *data, bool hold);
  // Another bus than `DBUS_SESSION_BUS_ADDRESS` names. May be null.
  const char *bus;
} OwApp;

// Bytes that the library made; freed by `ow_saved_free`.
typedef struct {
  // Where they are.
  uint8_t *bytes;
  // How many they are.
  size_t len;
} OwSaved;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// What the last function that failed on this thread has to say. Borrowed until the next call on this thread; null if none
// has failed yet.
const char *ow_error(void);

// Says why a callback fails, right before it returns null or `false`. In words for the user. Without it the last error of
// the library within that callback is taken for the reason.
void ow_fail(const char *why);

// Frees a string that was returned as the caller's own.
void ow_string_free(char *text);

// Reads a kind of document from JSON:
//
// ```json
// {
//   "type": "org.example.Notes/document",
//   "version": 2,
//   "schema": "{ lines: [text], pinned: bool, .. }",
//   "local": ["scroll_px"],
//   "steps": [
//     { "from": 1, "schema": "{ text: [text], .. }",
//       "lenses": [ { "rename": { "from": "text", "to": "lines" } },
//                   { "add": { "field": "pinned", "kind": "bool", "default": false } } ] }
//   ]
// }
// ```
//
// `schema` is in the notation of `state.lock`: what the fields of this version are, and for each step those of the version
// that it leads from. `..` is a place for fields that only other versions know. Fields named in `local` stay on their host;
// they are not part of the schema, and are missing from a state that comes from another host. Each lens is written as it
// travels, see docs/protocol.md. Fails when the steps do not lead to `version`, or do not make one schema of the other.
OwForm *ow_form_parse(const char *json);

// Frees a kind of document; sessions that know it keep their own.
void ow_form_free(OwForm *form);

#if defined(OVERWINTER_GTK)
// As `ow_session_connect`, served by GLib's default main context: nothing needs to be dispatched. To be called in the
// `startup` handler of `application` (a `GApplication *`), whose bus name is given up and taken back as the session asks (unless
// the app has `names`), and which quits after its last copy (unless the app has `quit`).
OwSession *ow_gtk_connect(const OwApp *app,
                          void *application);
#endif

#if defined(OVERWINTER_GTK)
// Ties `window` (a `GtkWindow *`) to `group` under the program's own `name` for it ("main", "inspector"), before the window
// is presented. The caller's, for `ow_window_free`.
OwWindow *ow_gtk_bind(void *window,
                      const OwGroup *group,
                      const char *name);
#endif

#if defined(OVERWINTER_GTK)
// The window shows its real content from its next picture on, which replaces the ghost in that very frame.
void ow_window_ready(const OwWindow *window);
#endif

#if defined(OVERWINTER_GTK)
// Lets go of the handle; the window stays tied.
void ow_window_free(OwWindow *window);
#endif

// Registers with the session, waiting for it at most one second. Without a session the program stands alone and joins as
// soon as one appears. Null only when `app` is not complete.
OwSession *ow_session_connect(const OwApp *app);

// Has what was said last delivered, waiting at most a second, and lets go of the connection. Null is accepted; a callback may do
// this too.
void ow_session_free(OwSession *session);

// Why this process runs: "launch" (open what the user asked for), or something else: documents are about to be restored,
// open nothing of your own accord. Borrowed, for ever.
const char *ow_session_reason(const OwSession *session);

// Whether there is a session right now.
bool ow_session_is_connected(const OwSession *session);

// A descriptor for the program's main loop: when it is readable, call `ow_session_dispatch`. It stays the library's.
int ow_session_fd(const OwSession *session);

// Carries out what has arrived; calls the documents. Never waits.
void ow_session_dispatch(const OwSession *session);

// Has everything said so far delivered, waiting at most a second.
void ow_session_flush(const OwSession *session);

// A document that the user opens or creates comes into being as a group: the caller's, for `ow_group_unref`. `document` is
// copied. On success its `data` is kept until its `free` is called; on failure nothing of it is called.
OwGroup *ow_session_open(const OwSession *session,
                         const OwForm *form,
                         const char *title,
                         const OwDocument *document);

// Another handle to the same group, for `ow_group_unref`.
OwGroup *ow_group_ref(const OwGroup *group);

// Lets go of a handle. The group itself goes on; see `ow_group_close`.
void ow_group_unref(OwGroup *group);

// The document is called otherwise.
bool ow_group_set_title(const OwGroup *group, const char *title);

// Something changed that the user would miss: it is saved within a second. Cheap enough for every keystroke.
void ow_group_changed(const OwGroup *group);

// Whether the newest change survives a power cut.
bool ow_group_is_stored(const OwGroup *group);

// Where this copy stands.
OwStanding ow_group_standing(const OwGroup *group);

// The group's id for life, 32 hexadecimal digits; null while it stands alone. The caller's, for `ow_string_free`.
char *ow_group_id(const OwGroup *group);

// A single-use word that ties one more window to this group by `overwinter_manager_v1.get_window`, for toolkits without an
// integration. Null without a session. The caller's, for `ow_string_free`.
char *ow_group_cookie(const OwGroup *group);

// The user closed the document and wants it closed; its windows are the program's to take down.
void ow_group_close(const OwGroup *group);

// Frees what was kept.
void ow_kept_free(OwKept *kept);

// Saves `record`, a map of the form's fields, and writes the bytes to `out`. `kept` is what `ow_restore` gave, or null for a state
// that is new.
bool ow_save(const OwForm *form,
             const OwValue *record,
             const OwKept *kept,
             OwSaved *out);

// Restores what this or any other version saved: a map of the form's fields, the caller's. `loss`, unless null, is set to a
// list of what could not be carried, the caller's too: maps with `path`, `reason` and `kept` (whether it rides along). `kept`,
// unless null, is set to what is to be saved along, the caller's, for `ow_kept_free`.
OwValue *ow_restore(const OwForm *form,
                    const uint8_t *bytes,
                    size_t len,
                    OwValue **loss,
                    OwKept **kept);

// A value as deterministic CBOR (RFC 8949 §4.2).
bool ow_encode(const OwValue *value, OwSaved *out);

// A value from deterministic CBOR; other encodings of the same value are refused.
OwValue *ow_decode(const uint8_t *bytes, size_t len);

// Frees saved bytes.
void ow_saved_free(OwSaved saved);

// Nothing.
OwValue *ow_null(void);

// Yes or no.
OwValue *ow_bool(bool value);

// A whole number.
OwValue *ow_int(int64_t value);

// A whole number that may be above the largest `int64_t`.
OwValue *ow_uint(uint64_t value);

// A floating-point number.
OwValue *ow_float(double value);

// Text. Null when it is not UTF-8.
OwValue *ow_text(const char *text);

// Text of `len` bytes, which may hold zero bytes. Null when it is not UTF-8.
OwValue *ow_text_of(const char *text, size_t len);

// A copy of `len` bytes.
OwValue *ow_bytes(const uint8_t *bytes, size_t len);

// A list without items.
OwValue *ow_list(void);

// A map without entries.
OwValue *ow_map(void);

// A value from JSON text. JSON has no bytes and no numbers that are not finite; state is kept as CBOR, see `ow_encode`.
OwValue *ow_from_json(const char *json);

// A value as JSON text; bytes become lists of numbers, and numbers that are not finite become null. The caller's, for
// `ow_string_free`.
char *ow_to_json(const OwValue *value);

// Appends `item`, which is taken. A list cannot be put into itself: that fails, and takes nothing.
bool ow_list_add(OwValue *list, OwValue *item);

// Sets the entry `name` to `value`, which is taken; what stood there is freed. A map cannot be put into itself: that fails, and
// takes nothing.
bool ow_map_set(OwValue *map,
                const char *name,
                OwValue *value);

// What sort of thing a value is; `OW_KIND_NULL` for a null pointer.
OwKind ow_kind(const OwValue *value);

// Reads yes or no into `out`.
bool ow_as_bool(const OwValue *value, bool *out);

// Reads a whole number into `out`; fails when it does not fit into 64 bits.
bool ow_as_int(const OwValue *value, int64_t *out);

// Reads a whole number that is not negative into `out`; fails when it does not fit into 64 bits.
bool ow_as_uint(const OwValue *value, uint64_t *out);

// Reads a floating-point number into `out`.
bool ow_as_float(const OwValue *value, double *out);

// The text of a value with its length in bytes: borrowed, and *not* ended by a zero byte.
const char *ow_as_text(const OwValue *value, size_t *len);

// A copy of a value's text, ended by a zero byte; the caller's, for `ow_string_free`.
char *ow_text_copy(const OwValue *value);

// The bytes of a value: borrowed.
const uint8_t *ow_as_bytes(const OwValue *value, size_t *len);

// How many items a list or entries a map has; 0 for anything else.
size_t ow_len(const OwValue *value);

// An item of a list: borrowed; null beyond its end.
const OwValue *ow_at(const OwValue *list, size_t index);

// An entry of a map: borrowed; null when there is none.
const OwValue *ow_get(const OwValue *map, const char *name);

// The entry of a map at `index`, in the map's order: borrowed, as is its name, which has `name_len` bytes and is *not* ended
// by a zero byte.
const OwValue *ow_entry(const OwValue *map,
                        size_t index,
                        const char **name,
                        size_t *name_len);

// A copy.
OwValue *ow_copy(const OwValue *value);

// Whether two values are equal, which is to say: whether they are encoded alike.
bool ow_equal(const OwValue *a, const OwValue *b);

// Frees a value. Not for borrowed ones.
void ow_free(OwValue *value);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* OVERWINTER_H */
