# What a read or flush says counts before what was under way on other
# connections is answered.
# FILE mpio/overtake.c
# BREAKS history durable
s/mp->overtake.loose = facts.unordered;/mp->overtake.loose = false;/
