"""What runs inside the router: standard library, and the parts of the lab that need
no more. Nothing here imports the agent; it is met as its users meet it.
"""
