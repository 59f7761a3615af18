"""A headless Chromium spoken to through its driver, by W3C WebDriver and Python's own library."""

import http.client
import json
import shutil
import socket
import subprocess
import time

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Space": "\ue00d"}


class NoBrowser(Exception):
    """There is none here, or none that starts."""


class Browser:
    def __init__(self):
        driver = shutil.which("chromedriver")
        chromium = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
        if not driver or not chromium:
            raise NoBrowser("chromedriver and chromium are not installed")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.driver = subprocess.Popen([driver, f"--port={self.port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self._wait_for_driver()
            options = {"binary": chromium, "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]}
            wanted = {"goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}, "goog:chromeOptions": options}
            self.session = "/session/" + self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        except (RuntimeError, OSError) as error:  # Ubuntu's package is a stub that asks for a snap
            self.driver.kill()
            self.driver.wait()
            raise NoBrowser(f"{chromium} does not start: {str(error)[:300]}") from error

    def _wait_for_driver(self):
        for _ in range(200):
            try:
                return self._call("GET", "/status")
            except OSError:
                if self.driver.poll() is not None:
                    raise
                time.sleep(0.05)
        raise RuntimeError("the driver does not answer")

    def _call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, json.dumps(body or {}) if method == "POST" else None, {"Content-Type": "application/json"})
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(value["error"] + ": " + value["message"])
        return value

    def close(self):
        try:
            self._call("DELETE", self.session)
        finally:
            self.driver.terminate()
            self.driver.wait()

    def open(self, url):
        self._call("POST", self.session + "/url", {"url": "about:blank"})  # else only the part behind '#' would change
        self._call("POST", self.session + "/url", {"url": url})

    def js(self, code, *arguments):
        return self._call("POST", self.session + "/execute/sync", {"script": code, "args": list(arguments)})

    def find(self, css):
        return self._call("POST", self.session + "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self._call("POST", f"{self.session}/element/{self.find(css)}/click")

    def type(self, css, text):
        self._call("POST", f"{self.session}/element/{self.find(css)}/value", {"text": text})

    def press(self, key):
        """To whatever has the focus."""
        code = KEYS[key]
        actions = [{"type": "keyDown", "value": code}, {"type": "keyUp", "value": code}]
        self._call("POST", self.session + "/actions", {"actions": [{"type": "key", "id": "keyboard", "actions": actions}]})

    def cdp(self, command, **parameters):
        return self._call("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def media(self, scheme="light", medium="screen"):
        self.cdp("Emulation.setEmulatedMedia", media=medium, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def width(self, pixels):
        self.cdp("Emulation.setDeviceMetricsOverride", width=pixels, height=900, deviceScaleFactor=1, mobile=False)

    def log(self, kind):
        return self._call("POST", self.session + "/se/log", {"type": kind})

    def requests(self):
        """Addresses asked for since the last call."""
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]

    def unnamed_controls(self):
        """What one can reach but a screen reader has no name for."""
        roles = {"button", "link", "textbox", "searchbox", "combobox", "checkbox", "radio", "region", "navigation", "DisclosureTriangle", "image", "img"}
        bad = []
        for node in self.cdp("Accessibility.getFullAXTree")["nodes"]:
            role = node.get("role", {}).get("value")
            if not node.get("ignored") and role in roles and not node.get("name", {}).get("value", "").strip():
                bad.append(role)
        return bad
