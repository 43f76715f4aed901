"""The one look: tokens, marks, pages and the Bokeh figures of reports, web pages and apps."""
