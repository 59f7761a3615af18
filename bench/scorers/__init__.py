"""One file per program that compare_eval.py can time at scoring questions. Each has

    NAME              how the table calls it
    score(request)    loads the model, scores every question once to the end and says how long that took; raises Unavailable with the reason

A request is {"folder", "file", "work", "threads", "questions", …}; a question is {"context": ids, "choices": [ids, …]}, and they come longest first.
A reply is {"seconds", "scores": [[log-likelihood, …], …] in the order of the questions}. Loading and a first batch, which is run twice, are not in the seconds.
"""
