<?php // composer require jumbojett/openid-connect-php
require 'vendor/autoload.php';
$oidc = new Jumbojett\OpenIDConnectClient(getenv('ISSUER'), getenv('CLIENT_ID'), getenv('CLIENT_SECRET'));
$oidc->setCodeChallengeMethod('S256');
$oidc->setRedirectURL('https://dienst.example/callback');
$oidc->addScope(['openid', 'email']);
$oidc->authenticate();
$_SESSION['sub'] = $oidc->getVerifiedClaims('sub');
echo json_encode($oidc->requestUserInfo());
