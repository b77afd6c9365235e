"""The control socket: how the commands of this program ask an executor and tell it what to do.

server.py     the server and its routing
http.py       HTTP/1.1 on one connection
socket.py     the Unix socket and its permissions
routes.py     every path and its answer
documents.py  the JSON documents of the answers
ending.py     what an operator does to one pod: end it, send a signal, remove its record
loopback.py   HTTP on a TCP port of 127.0.0.1, for reading only
"""
