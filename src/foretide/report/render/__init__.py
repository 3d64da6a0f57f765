"""Reports drawn: pictures by plotly.js or matplotlib, sections as a page or as Markdown."""
