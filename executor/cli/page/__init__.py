"""What `serve` and `report` show: one self-contained page of HTML and SVG, without scripts or external resources.

markup.py      elements whose text is escaped; nothing else makes HTML
style.py       the style sheet and the page's frame
timeline.py    a revocation as a picture
revocation.py  a receipt: picture, steps, victims, regular pods, events
node.py        the node: classes, pressure, pods by class and role, revocations, events
views.py       which executors one section of the node's page is about
pod.py         one pod: verdict, containers, network, events
lending.py     what the node lends and what came back
chart.py       lines over the last hour, as SVG; past.py keeps the numbers
collect.py     the documents of one executor, as the control socket gives them
"""
