-- wrk at about 200 requests/s with 10 connections, and the figures that it reports (see stalled.py).
function delay()
   return 50
end

function done(summary, latency)
   for _, percentile in ipairs({50, 90, 95, 99}) do
      print("at", latency:percentile(percentile))
   end
   print("at", latency.max)
   print("sent", summary.requests)
end
