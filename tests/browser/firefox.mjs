// Train in Firefox: node firefox.mjs FIREFOX ADDRESS. Prints the CSV of the default and of 56 layers,
// and what went wrong, as JSON.
import { createRequire } from "node:module";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { default: puppeteer } = await import(require.resolve("puppeteer-core"));
const [executablePath, address] = process.argv.slice(2);

const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
const wrong = [];
const tables = {};
try {
  for (const depth of [20, 56]) {
    const page = await browser.newPage();
    page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
    page.on("pageerror", (error) => wrong.push(String(error)));
    page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.hostname && url.hostname !== "127.0.0.1") wrong.push(request.url());
    });
    await page.goto(depth === 20 ? address : `${address}#playground?choose=resnet${depth}A`);
    await page.waitForSelector("#playground[data-ready]");
    // The text of a download, which the browser would put into a file.
    await page.evaluate(() => {
      const make = URL.createObjectURL.bind(URL);
      URL.createObjectURL = (blob) => {
        if (blob.type === "text/csv") blob.text().then((text) => (window.table = text));
        return make(blob);
      };
    });
    await page.click("button.main");
    await page.waitForFunction(() => document.querySelector("button.main").textContent === "Pause");
    await page.waitForFunction(
      () => document.querySelector("button.main").textContent === "Train", { timeout: 400_000 },
    );
    await page.evaluate(() =>
      [...document.querySelectorAll(".downloads button")].find((each) => each.textContent === "CSV").click(),
    );
    await page.waitForFunction(() => window.table);
    tables[depth] = await page.evaluate(() => window.table);
    await page.close();
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify({ tables, wrong }));
