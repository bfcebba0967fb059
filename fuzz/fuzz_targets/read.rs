#![no_main]

milvus_uplift_fuzz::target!(milvus_uplift_fuzz::oracle::text::read);
