"""
A visitor without a browser: speaks the app's websocket protocol as the page in a browser does.

It keeps what the server draws as one element a place, answers as the widgets would, uploads through the
same address, and repeats a part of the page as often as the server asks for it.
"""

from __future__ import annotations

import asyncio
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import FileURLs, UploadedFileInfo
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

MOST_BYTES = 2**29


class Trouble(Exception):
    """What a visitor saw go wrong."""


class Visitor:
    """One open tab."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.shown: dict[tuple[int, ...], Message] = {}
        self.received_bytes = 0
        self._pages: dict[str, str] = {}
        self._page = ""
        self._states: dict[str, WidgetState] = {}
        self._repeating: dict[str, asyncio.Task] = {}
        self._urls: asyncio.Queue[FileURLs] = asyncio.Queue()
        self._begun = False
        self._finished = asyncio.Event()
        self._cookie = ""
        self._session = ""
        self._fault = ""
        self._listener: asyncio.Task | None = None

    async def arrive(self) -> None:
        """Open the app, or come back after the connection was lost."""
        self._cookie = self._cookie or await asyncio.to_thread(self._fetch_cookie)
        stream = self.address.replace("http", "ws", 1) + "/_stcore/stream"
        words = ["streamlit", self._cookie.partition("=")[2], self._session]
        self._socket: ClientConnection = await connect(
            stream,
            subprotocols=words if self._session else words[:1],  # type: ignore[arg-type]
            max_size=MOST_BYTES,
            origin=self.address,  # type: ignore[arg-type]
            proxy=None,
        )
        self._fault = ""
        self._listener = asyncio.create_task(self._listen())
        await self.run()

    async def lose(self) -> None:
        """Lose the connection, as when a laptop leaves the network."""
        self._stop_repeating()
        if self._listener is not None:
            self._listener.cancel()
        self._socket.transport.abort()

    async def leave(self) -> None:
        """Close the tab, without a word to the app, where it was ever open."""
        self._stop_repeating()
        if self._listener is None:
            return
        self._listener.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._listener
        await self._socket.close()

    async def go(self, page: str) -> None:
        """Open another page from the menu."""
        if page not in self._pages:
            raise Trouble(f"the menu has no page {page!r}")
        self._page, self._states = self._pages[page], {}
        self._stop_repeating()
        await self.run()

    async def press(self, label: str) -> None:
        """Press the button with this label."""
        button = await self._element("button", lambda element: element.button.label == label, label)
        await self.run(WidgetState(id=button.button.id, trigger_value=True))

    async def tick(self, label: str) -> None:
        """Tick the box with this label."""
        box = await self._element("checkbox", lambda element: element.checkbox.label == label, label)
        self._states[box.checkbox.id] = WidgetState(id=box.checkbox.id, bool_value=True)
        await self.run()

    async def slide(self, share: float) -> float:
        """Move the first slider to this share of its range; return the seconds until all is drawn again."""
        slider = (await self._element("slider", lambda element: not element.slider.disabled, "slider")).slider
        steps = round(share * (slider.max - slider.min) / slider.step)
        state = WidgetState(id=slider.id)
        state.double_array_value.data.append(slider.min + steps * slider.step)
        self._states[slider.id] = state
        begun = time.perf_counter()
        await self.run()
        return time.perf_counter() - begun

    async def upload(self, path: Path, name: str = "") -> None:
        """Give a file to the first uploader, under another name where one is given."""
        name = name or path.name
        uploader = (await self._element("file_uploader", lambda _: True, "uploader")).file_uploader
        ask = BackMsg()
        ask.file_urls_request.request_id = uuid.uuid4().hex
        ask.file_urls_request.file_names.append(name)
        ask.file_urls_request.session_id = self._session
        await self._socket.send(ask.SerializeToString())
        where = await asyncio.wait_for(self._urls.get(), 60)
        await asyncio.to_thread(self._put, path, name, where.upload_url)
        state = WidgetState(id=uploader.id)
        size = path.stat().st_size
        info = UploadedFileInfo(name=name, size=size, file_id=where.file_id, file_urls=where)
        state.file_uploader_state_value.uploaded_file_info.append(info)
        self._states[uploader.id] = state
        await self.run()

    async def run(self, once: WidgetState | None = None, *, part: str = "") -> None:
        """Let the server draw the page, or a part of it, and wait until it has."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page
        message.rerun_script.fragment_id = part
        message.rerun_script.is_auto_rerun = bool(part)
        message.rerun_script.widget_states.widgets.extend(self._states.values())
        if once is not None:
            message.rerun_script.widget_states.widgets.append(once)
        if not part:
            self._begun = False
            self._finished.clear()
        await self._socket.send(message.SerializeToString())
        if not part:
            await self.until(self._finished.is_set, 120, "the page to be drawn")

    async def until_shown(self, text: str, seconds: float) -> None:
        """Wait until the page says this."""
        await self.until(lambda: any(text in words for words in self.words()), seconds, repr(text))

    def words(self) -> Iterator[str]:
        """All text on the page."""
        for element in list(self.shown.values()):
            kind = element.WhichOneof("type")
            inside = getattr(element, kind) if kind else None
            for name in ("body", "label", "text", "message"):
                words = getattr(inside, name, "")
                if isinstance(words, str) and words and not words.startswith("<"):
                    yield words
            yield from (picture.caption for picture in getattr(inside, "imgs", ()))
            yield from (option.content for option in getattr(inside, "options", ()) if kind == "button_group")

    def complaints(self) -> list[str]:
        """Errors and tracebacks on the page."""
        found = []
        for element in self.shown.values():
            kind = element.WhichOneof("type")
            if kind == "exception":
                found.append(f"{element.exception.type}: {element.exception.message}")
            elif kind == "alert" and element.alert.format == element.alert.ERROR:
                found.append(element.alert.body)
        return found

    async def until(self, happened: Callable[[], object], seconds: float, what: str) -> None:
        """Wait until something is so; *what* is said where it does not happen."""
        give_up = time.monotonic() + seconds
        while not happened():
            if self._fault or time.monotonic() > give_up:
                raise Trouble(self._fault or f"waited {seconds:.0f} s for {what}")
            await asyncio.sleep(0.01)

    async def _element(self, kind: str, fits: Callable[[Message], bool], what: str) -> Message:
        """Find an element; where the page is being drawn anew, wait for it as a person would."""
        found: list[Message] = []

        def there() -> bool:
            shown = sorted(self.shown.items(), key=lambda pair: pair[0])
            found.extend(each for _, each in shown if each.WhichOneof("type") == kind and fits(each))
            return bool(found)

        await self.until(there, 60, f"the {what} on the page")
        return found[0]

    async def _listen(self) -> None:
        try:
            async for frame in self._socket:
                self.received_bytes += len(frame)
                self._take(ForwardMsg.FromString(frame))
            self._fault = "the server closed the connection"
        except Exception as problem:
            self._fault = f"connection lost: {problem}"

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._session = message.new_session.initialize.session_id or self._session
            if not message.metadata.run.fragment_ids:
                self._begun = True
                self._page = message.new_session.page_script_hash
                self.shown.clear()
                self._stop_repeating()
        elif kind == "navigation":
            for page in message.navigation.app_pages:
                # The first page has no address of its own, and goes by its title.
                self._pages[page.url_pathname or page.page_name.lower()] = page.page_script_hash
            self._page = message.navigation.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self.shown[tuple(message.metadata.delta_path)] = message.delta.new_element
        elif kind == "file_urls_response":
            for where in message.file_urls_response.file_urls:
                self._urls.put_nowait(where)
        elif kind == "auto_rerun":
            again = self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
            self._repeating.setdefault(message.auto_rerun.fragment_id, asyncio.create_task(again))
        elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._end()

    def _end(self) -> None:
        """Note that the page is drawn; not that one is which was under way when this one was asked for."""
        if self._begun:
            self._finished.set()

    async def _repeat(self, part: str, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await self.run(part=part)

    def _stop_repeating(self) -> None:
        for task in self._repeating.values():
            task.cancel()
        self._repeating.clear()

    def _fetch_cookie(self) -> str:
        with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=30) as answer:
            return (answer.headers.get("Set-Cookie") or "").split(";")[0]

    def _put(self, path: Path, name: str, where: str) -> None:
        boundary, quoted = uuid.uuid4().hex, name.replace('"', "%22").replace("\n", "%0A")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": self._cookie}
        headers["X-Xsrftoken"] = self._cookie.partition("=")[2]
        request = urllib.request.Request(self.address + where, body, headers, method="PUT")
        with urllib.request.urlopen(request, timeout=120):
            pass
