"""The app: one look for all pages, and the menu. Start it with ``python start.py``."""

import streamlit as st

from labelfree_core.errors import LabelFreeError
from pages.components import layout, links, words

st.set_page_config(page_title="labelfree", page_icon=layout.ICON, layout="wide")
layout.style()
menu = {
    name: st.Page(f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=name == "start")
    for name, title, icon in layout.PAGES
}
chosen = st.navigation(list(menu.values()), position="top")
wanted = links.take_wanted_page()
if wanted is not None:
    st.switch_page(menu[wanted[0]], query_params=wanted[1])
try:
    links.follow()
    chosen.run()
except LabelFreeError as problem:  # where a page shows one itself, it goes on below it
    st.error(words.plain(str(problem)))
except MemoryError:
    st.error("The memory of this server ran out. Open a smaller image, or close other tabs with this app.")
layout.footer()
