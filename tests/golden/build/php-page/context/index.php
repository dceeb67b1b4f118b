<?php
$db = new PDO('sqlite::memory:');
echo $db->query("SELECT 'ahoy'")->fetchColumn(), "\n";
