"""The dashboard: pages for people, drawn on the server.

`routes` lists every page with the role that it needs; `visits` says who asks; `rendering` and `assets` draw. Each page
has a module that makes a typed view of what its template shows. Nothing here counts or judges: the numbers are those
of the API.
"""
