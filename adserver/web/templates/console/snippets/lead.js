rt('event', 'generate_lead', {lead_id: 'L-1001'});
