// Charts over time. Each is drawn from the table behind it, so that both always say the same.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const number = (text) => (text === undefined ? null : Number(text));
  let loading = null;

  // The library is large, and only needed where there is something to draw.
  const library = () => {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = document.querySelector("[data-echarts]").dataset.echarts;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
  };

  const manner = document.documentElement.dataset.manner || "en-GB";

  const written = (value, unit) => {
    if (value === null || value === undefined) return "–";
    const text = value.toLocaleString(manner, { maximumFractionDigits: 2 });
    return unit === "%" ? `${text} %` : unit ? `${text} ${unit}` : text;
  };

  const short = (day) => new Date(`${day}T00:00:00Z`).toLocaleDateString(manner === "en-US" ? "en-US" : "en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

  // A band is wide at first. What is above twice the highest line says nothing more, and is cut off.
  const ceiling = (lines) => {
    if (!lines.some((line) => line.band)) return undefined;
    const highest = Math.max(...lines.filter((line) => !line.band).flatMap((line) => line.values.slice(Math.floor(line.values.length / 3))));
    if (!highest) return undefined;
    const step = 10 ** Math.floor(Math.log10(2 * highest));
    return Math.min(100, Math.ceil((2 * highest) / step) * step);
  };

  const read = (table) => {
    const heads = [...table.querySelectorAll("thead th")].slice(1);
    const rows = [...table.querySelectorAll("tbody tr")];
    return {
      days: rows.map((row) => row.firstElementChild.dataset.day),
      lines: heads.map((head, place) => ({
        name: head.textContent, colour: head.dataset.line, dashed: Boolean(head.dataset.dashed), band: head.dataset.band || "",
        values: rows.map((row) => number(row.children[place + 1].dataset.v)),
      })),
    };
  };

  const NARROW = 420, MOST_LISTED = 9, LISTED_HEIGHT = 17;

  // A line of a single day is a point: its band is then a bar, and the lines stand beside each other.
  const onOneDay = (lines, days, unit) => {
    const drawn = lines.filter((line) => !line.band), soft = { color: colour("soft"), fontSize: 12 };
    const bounds = (line) => lines.slice(lines.indexOf(line) + 1, lines.indexOf(line) + 3).map((bound) => bound.values[0]);
    const series = drawn.map((line, place) => {
      const [low, high] = bounds(line), lineStyle = { color: colour(line.colour), width: 3, type: "solid", opacity: 0.45 };
      return { type: "scatter", name: line.name, animation: false, symbolSize: 9, data: [[place, line.values[0]]], itemStyle: { color: colour(line.colour) },
        markLine: { silent: true, animation: false, symbol: "none", label: { show: false }, lineStyle, data: low === null ? [] : [[{ coord: [place, low] }, { coord: [place, high] }]] } };
    });
    const highest = Math.max(0, ...drawn.flatMap((line) => [line.values[0], bounds(line)[1]]).filter((value) => value !== null));
    const step = 10 ** Math.floor(Math.log10(highest || 1)) / 2;
    return {
      textStyle: { fontFamily: "inherit" },
      grid: { left: 8, right: 16, top: 14, bottom: 8, containLabel: true },
      tooltip: { trigger: "item", renderMode: "richText", confine: true, backgroundColor: colour("card"), borderColor: colour("line"), textStyle: { color: colour("text"), fontSize: 12 },
        formatter: (point) => { const [low, high] = bounds(drawn[point.seriesIndex]); return `${days[0]}\n${point.seriesName}: ${written(point.value[1], unit)}${low === null ? "" : ` (${written(low, unit)} – ${written(high, unit)})`}`; } },
      xAxis: { type: "category", data: drawn.map((line) => line.name), axisLabel: { ...soft, interval: 0, width: Math.max(40, 480 / drawn.length), overflow: "truncate" }, axisLine: { lineStyle: { color: colour("axis") } }, axisTick: { show: false } },
      yAxis: { type: "value", min: 0, max: highest ? Math.ceil(highest / step) * step : 1, axisLabel: { ...soft, formatter: (value) => written(value, unit === "%" ? "%" : "") }, splitLine: { lineStyle: { color: colour("grid") } } },
      series,
    };
  };

  const option = (table, unit, narrow) => {
    const { days, lines } = read(table);
    if (days.length === 1 && lines.some((line) => line.band)) return onOneDay(lines, days, unit);
    const series = [];
    const drawn = lines.filter((line) => !line.band);
    lines.forEach((line, place) => {
      const common = { type: "line", symbol: days.length > 1 ? "none" : "circle", animation: false };
      if (line.band === "low") {
        const high = lines[place + 1].values;
        const band = { ...common, symbol: "none", stack: `band ${place}`, lineStyle: { opacity: 0 }, silent: true, tooltip: { show: false } };
        series.push({ ...band, name: `low ${place}`, data: line.values });
        series.push({ ...band, name: `high ${place}`, areaStyle: { color: colour(line.colour), opacity: 0.13 },
          data: high.map((value, day) => (value === null ? null : value - line.values[day])) });
      } else if (!line.band) {
        series.push({ ...common, name: line.name, data: line.values, z: 5,
          lineStyle: { color: colour(line.colour), width: 2, type: line.dashed ? "dashed" : "solid" },
          itemStyle: { color: colour(line.colour) } });
      }
    });
    const soft = { color: colour("soft"), fontSize: 12 };
    // On a phone names stand below each other; beside each other they would be cut, and need pages.
    const listed = narrow && drawn.length > 1 && drawn.length <= MOST_LISTED;
    const legend = listed ? { type: "plain", orient: "vertical", left: 8, itemGap: 6, textStyle: { ...soft, width: 240, overflow: "truncate" } }
      : { type: "scroll", textStyle: { ...soft, width: 160, overflow: "truncate" } };
    const rule = { lineStyle: { color: colour("grid") } };
    return {
      textStyle: { fontFamily: "inherit" },
      grid: { left: 8, right: 16, top: 14, bottom: listed ? 14 + LISTED_HEIGHT * drawn.length : 34, containLabel: true },
      legend: { data: drawn.map((line) => line.name), bottom: 0, ...legend,
        pageTextStyle: soft, icon: "roundRect", itemHeight: 3, itemWidth: 16 },
      tooltip: { trigger: "axis", renderMode: "richText", confine: true, backgroundColor: colour("card"), borderColor: colour("line"),
        textStyle: { color: colour("text"), fontSize: 12 },
        formatter: (points) => [points[0].axisValue, ...points.filter((one) => drawn.some((line) => line.name === one.seriesName))
          .map((one) => `${one.seriesName}: ${written(one.value, unit)}`)].join("\n") },
      xAxis: { type: "category", data: days, boundaryGap: false,
        axisLabel: { ...soft, hideOverlap: true, alignMinLabel: "left", alignMaxLabel: "right", formatter: short }, axisLine: { lineStyle: { color: colour("axis") } }, axisTick: { show: false } },
      yAxis: { type: "value", max: ceiling(lines), axisLabel: { ...soft, formatter: (value) => written(value, unit === "%" ? "%" : "") }, splitLine: rule },
      series,
    };
  };

  const save = (name, address) => {
    const anchor = document.createElement("a");
    anchor.href = address;
    anchor.download = name;
    anchor.click();
  };

  const button = (text, title, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "quiet";
    made.textContent = text;
    const unseen = document.createElement("span");
    unseen.className = "unseen";
    unseen.textContent = ` of ${title}`;
    made.append(unseen);
    made.addEventListener("click", act);
    return made;
  };

  // SVG as the library draws it; PNG by way of a canvas, twice as large.
  const buttons = (place, chart) => {
    const name = place.dataset.table.replace("table-", "");
    const svg = () => chart.getDataURL({ type: "svg", backgroundColor: colour("card") });
    const bar = document.createElement("div");
    bar.className = "savers";
    bar.append(
      button("SVG", place.dataset.name, () => save(`${name}.svg`, svg())),
      button("PNG", place.dataset.name, () => {
        const image = new Image();
        image.onload = () => {
          const canvas = document.createElement("canvas");
          canvas.width = 2 * chart.getWidth();
          canvas.height = 2 * chart.getHeight();
          canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
          save(`${name}.png`, canvas.toDataURL("image/png"));
        };
        image.src = svg();
      }),
    );
    place.append(bar);
  };

  const draw = (place) => {
    const table = document.getElementById(place.dataset.table);
    if (!table) return;
    let plot = place.querySelector(".plot");
    if (!plot) {
      plot = document.createElement("div");
      plot.className = "plot";
      plot.setAttribute("role", "img");
      plot.setAttribute("aria-label", `${place.dataset.name}, as a chart; the numbers are in the table below`);
      place.append(plot);
    }
    let chart = echarts.getInstanceByDom(plot);
    if (!chart) {
      chart = echarts.init(plot, null, { renderer: "svg" });
      buttons(place, chart);
      new ResizeObserver(() => chart.resize()).observe(plot);
    }
    const narrow = plot.clientWidth < NARROW, names = table.querySelectorAll("thead th[data-line]:not([data-band])").length;
    plot.style.height = narrow && names <= MOST_LISTED ? `${300 + LISTED_HEIGHT * (names - 1)}px` : "";
    chart.resize();
    chart.setOption(option(table, place.dataset.unit, narrow), true);
  };

  const all = async () => {
    const places = [...document.querySelectorAll("[data-table]")];
    if (!places.length) return;
    await library();
    places.forEach(draw);
  };

  document.addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:after:swap", all);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
