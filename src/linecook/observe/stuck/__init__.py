"""Why is it stuck: who waits on what, held by whom, what can never go on; found by looking, when somebody asks."""
