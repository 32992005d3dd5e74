// The search runs in a web worker, which a browser does not start for a page that is opened as a file. For such pages this class
// takes the place of Worker: it runs the same script in a hidden frame, and hands messages over.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      this.addEventListener("message", (event) => this.onmessage?.(event));
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
      const load = (address) =>
        new Promise((resolve, reject) => {
          const script = this.inside.document.createElement("script");
          script.src = String(new URL(address, document.baseURI));
          script.onload = resolve;
          script.onerror = reject;
          this.inside.document.body.append(script);
        });
      this.inside.importScripts = (...addresses) => Promise.all(addresses.map(load));
      this.ready = load(url);
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
    }

    terminate() {
      this.inside.frameElement?.remove();
    }
  };
}
