"""The control socket: how the commands of this program ask an executor and tell it what to do.

server.py     the server and its routing
http.py       HTTP/1.1 on one connection
socket.py     the Unix socket and its permissions
routes.py     every path and its answer
documents.py  the JSON documents of the answers
"""
