class Worker:
    def __init__(self, house): pass
    def start(self): pass
    def stop(self): pass
