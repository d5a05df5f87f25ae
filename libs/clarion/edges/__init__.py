"""How clients secure their way to Kafka and MongoDB: TLS by files, and by whom they say they are.

Files are read anew for new connections once they change, so that nothing has to be restarted for a rotation.
"""
