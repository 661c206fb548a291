"use strict";
// Optional: shows time and values under the pointer. Nothing on the page needs it.
for (const chart of document.querySelectorAll(".chart[data-minutes]")) {
  const plot = chart.querySelector(".plot"), data = chart.dataset;
  const low = Number(data.low), high = Number(data.high), top = Number(data.top), bottom = Number(data.bottom);
  const minutes = data.minutes.split(" ").map(Number);
  const lines = Array.from(chart.querySelectorAll("path[data-name]"), path => ({
    name: path.dataset.name,
    points: path.getAttribute("d").slice(1).split("L").map(pair => pair.split(" ").map(Number)),
  })).reverse();
  const cursor = document.createElementNS("http://www.w3.org/2000/svg", "line");
  cursor.setAttribute("class", "cursor");
  cursor.setAttribute("y1", top);
  cursor.setAttribute("y2", bottom);
  const readout = document.createElement("div");
  readout.className = "readout";
  readout.hidden = true;
  chart.append(readout);
  const written = y => {
    const share = (bottom - y) / (bottom - top);
    const plain = data.scale === "log" ? low * (high / low) ** share : low + share * (high - low);
    const value = data.unit === "factor" ? 100 * (plain - 1) : plain;
    const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
    const sign = data.unit === "price" ? {} : { signDisplay: "exceptZero" };
    return value.toLocaleString("en-US", { ...digits, ...sign }) + (data.unit === "price" ? "" : " %");
  };
  plot.addEventListener("pointermove", event => {
    const box = plot.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const time = new Date(minutes[Math.round(share * (minutes.length - 1))] * 60000);
    const rows = lines.map(line => {
      const point = line.points.findLast(point => share * 1000 >= point[0]) ?? line.points[0];
      return line.name + "  " + written(point[1]);
    });
    readout.textContent = [time.toISOString().slice(0, 16).replace("T", " ") + " UTC", ...rows].join("\n");
    readout.classList.toggle("left", share > 0.5);
    readout.hidden = false;
    cursor.setAttribute("x1", 100 * share + "%");
    cursor.setAttribute("x2", 100 * share + "%");
    plot.append(cursor);
  });
  plot.addEventListener("pointerleave", () => {
    readout.hidden = true;
    cursor.remove();
  });
}
