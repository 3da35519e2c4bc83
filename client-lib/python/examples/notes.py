#!/usr/bin/python3
"""A note taker with PyGObject and GTK 4: one text per window. What makes it overwinter is marked with a star."""
import gi

gi.require_version("Gtk", "4.0")
from gi.repository import Gtk
from overwinter import Document, Form, Step, gtk, lens  # *

VERSION = 2
OLDER = "{ caret: i64, text: text, .. }"

# * What is kept of a note, and how it got its present shape: version 2 calls the text `body` and can wrap its lines.
if VERSION == 1:
    TEXT, FORM = "text", Form("org.example.PyNotes/note", 1, OLDER)
else:
    TEXT, FORM = "body", Form(
        "org.example.PyNotes/note", 2, "{ body: text, caret: i64, wrap: bool, .. }",
        [Step(1, OLDER, [lens.rename("text", "body"), lens.add("wrap", True)])],
    )


class Note(Document):
    def __init__(self, app, state):
        wrap = Gtk.WrapMode.WORD if state.get("wrap") else Gtk.WrapMode.NONE
        self.view = Gtk.TextView(wrap_mode=wrap)
        self.buffer = self.view.get_buffer()
        self.buffer.set_text(state[TEXT])
        self.buffer.place_cursor(self.buffer.get_iter_at_offset(state["caret"]))
        self.window = Gtk.ApplicationWindow(application=app, title=f"A note in {VERSION}.0", child=self.view)
        self.window.set_default_size(480, 320)

    def join(self, group):
        """The group is known: from here on the note reports what happens to it."""
        self.tie = gtk.bind(self.window, group)  # * before the window is presented
        self.buffer.connect("changed", lambda _: group.changed())  # * saved within a second
        self.window.connect("close-request", lambda _: group.close())  # * the user wants it closed
        self.window.present()
        self.tie.ready()  # * the next picture shows the content
        return self

    def capture(self):  # * the note as data
        text = self.buffer.get_text(*self.buffer.get_bounds(), True)
        state = {TEXT: text, "caret": self.buffer.get_property("cursor-position")}
        return state if VERSION == 1 else {**state, "wrap": self.view.get_wrap_mode() != Gtk.WrapMode.NONE}

    def adopt(self):
        self.window.set_visible(True)

    def retire(self):
        self.window.set_visible(False)

    def discard(self):
        self.window.destroy()


class Notes(Gtk.Application):
    def do_startup(self):
        Gtk.Application.do_startup(self)
        self.session = gtk.connect(self, f"{VERSION}.0", {FORM: self.restore})  # *
        self.launched = self.session.reason == "launch"

    def restore(self, group, arrival):  # * a note comes back
        group.set_title("A note")
        return Note(self, arrival.state).join(group)

    def do_activate(self):
        if self.launched:  # else documents are about to be restored
            note = Note(self, {TEXT: "", "caret": 0, "wrap": VERSION > 1})
            note.join(self.session.open(FORM, "A note", note))  # *
        self.launched = True


Notes(application_id="org.example.PyNotes").run()
