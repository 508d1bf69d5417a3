package password

// commonWords are what people choose first: passwords, and the words they are
// made of, in lower case and without digits at their ends. The list was written
// for this package and is copied from nowhere. It is no match for one that was
// drawn from breaches, see NotInList.
const commonWords = `
password passwort passwd passw pass passcode passphrase passport motdepasse contrasena contrase senha parola wachtwoord
secret topsecret geheim private privat confidential hidden access entry enter entrance
letmein letmeinnow openup opensesame sesame welcome willkommen bienvenue hello hallo hola bonjour ciao goodbye
login logon signin signup register username user users guest visitor member account
admin administrator administer root superuser super sysadmin system manager master moderator operator owner
test testing tester testuser demo example sample default temp temporary temporal trial changeme change changeit
changemenow newpass newpassword oldpassword mypassword mypass yourpassword nopassword thepassword
qwerty qwertz azerty qwer asdf zxcv qazwsx qweasd qweasdzxc asdfgh zxcvbn wasd poiuyt lkjhgf mnbvcx
abc abcd xyz aaa xxx abcabc abcdef
iloveyou iloveu ilove loveyou love lover lovers loveme lovely luv iluvu iluv mylove truelove foreverlove loving
tequiero teamo
jetaime ichliebedich forever always never together
monkey dragon shadow sunshine princess prince king queen football futbol fussball baseball basketball hockey soccer
tennis golf rugby cricket volleyball swimming running skating racing boxing karate wrestling
superman batman spiderman ironman wonderwoman hulk thor captain avengers marvel joker pokemon pikachu mario zelda sonic
starwars skywalker vader darthvader yoda jedi matrix neo trinity hobbit gandalf frodo potter harrypotter hogwarts
gryffindor
freedom liberty justice peace hope faith trust truth honor glory courage believe dream dreams dreamer wish magic mystery
whatever nothing something anything everything nobody somebody anybody everybody
computer laptop internet network server website online google facebook twitter instagram youtube whatsapp amazon apple
microsoft windows linux ubuntu android iphone samsung nokia sony xbox playstation nintendo minecraft fortnite
michael jennifer jordan thomas robert daniel andrew joshua matthew anthony charlie george harley hunter ashley jessica
michelle nicole amanda andrea maria anna laura sarah sophie emma julia lisa maggie buster ginger pepper cookie cookies
david james john joseph william richard charles christopher mark steven paul kevin brian edward ronald timothy jason
jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin scott brandon benjamin samuel frank gregory raymond
alexander alexandra patrick jack dennis jerry tyler aaron jose adam nathan henry peter martin oliver lucas leon felix
stefan andreas christian sebastian simon philipp tobias florian markus klaus carlos juan pedro pablo luis miguel antonio
francesco giovanni marco pierre nicolas francois marie camille sandra claudia monica karen susan linda barbara elizabeth
patricia mary helen donna carol ruth sharon cynthia kathleen amy angela melissa brenda rebecca virginia natalie victoria
samantha katherine christine catherine hannah olivia emily sofia isabella mia charlotte amelia chloe lily grace
merlin mickey minnie donald goofy disney mustang corvette ferrari porsche mercedes bmw audi toyota honda yamaha suzuki
ducati harleydavidson camaro chevy chevrolet ford dodge jeep truck ranger bandit rocket racer driver pilot
tiger tigger lion eagle eagles falcon falcons hawk wolf wolves bear bears panther panthers cobra viper snake spider
scorpion
shark dolphin dolphins whale turtle bunny rabbit kitty kitten cat cats dog dogs doggy puppy horse horses pony bird birds
phoenix unicorn butterfly angel angels devil demon ghost vampire zombie wizard witch warrior ninja samurai knight
summer winter spring autumn fall january february march april may june july august september october november december
monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday morning midnight night
sommer winter fruehling herbst verano invierno printemps ete hiver estate inverno
red blue green yellow orange purple black white silver golden gold pink brown violet rainbow crystal diamond
london paris berlin madrid lisbon rome roma milano vienna moscow tokyo newyork boston chicago texas dallas austin
houston
california florida hawaii miami denver phoenix orlando canada america american usa england scotland ireland france
germany
deutschland espana italia brasil mexico india russia china japan korea australia africa europe turkey istanbul
liverpool chelsea arsenal manchester barcelona realmadrid juventus bayern dortmund inter milan benfica
yankees redsox lakers bulls cowboys steelers packers raiders broncos patriots giants dodgers rangers
jesus christ god lord heaven hell bible church amen blessed blessing allah islam buddha krishna
family mother father mommy mama mummy daddy papa brother sister baby babygirl babyboy girl girls boy boys
friend friends bestfriend wife husband honey sweet sweetie sweetheart darling baby cutie beautiful gorgeous pretty
sexy hottie bigdaddy playboy playgirl badboy badgirl goodboy goodgirl lucky happy smile smiley funny crazy silly stupid
fuckyou fuck fucker fuckoff fuckme shit asshole bitch bullshit damn pussy dick sex porn biteme suckit killer
money cash dollar dollars rich million millionaire bitcoin crypto bank banking credit business company corporate office
work
school college university student teacher doctor nurse lawyer police soldier army navy marine marines airforce
music guitar piano drummer drums metal metallica slipknot nirvana beatles elvis eminem rocknroll rock dance dancer
chocolate coffee vanilla strawberry cherry banana apples peaches lemon mango pizza cheese chicken bacon butter sugar
candy
beer wine vodka whiskey tequila corona budlight cocacola pepsi water
purple flower flowers rose roses daisy jasmine lotus garden forest mountain river ocean beach island sunset sunrise
sunny
star stars moon sun sky earth galaxy universe planet jupiter mercury saturn venus mars apollo zeus thunder lightning
storm
fire ice snow snowman snowball rain wind cloud stone steel iron hammer bullet gun
trustno trustnoone noone ncc batcave blink sublime access gateway gatekeeper security secure security protected protect
internet service support helpdesk help info contact office public staff backup database oracle mysql postgres cisco
spring springtime summertime wintertime christmas xmas easter halloween birthday holiday holidays vacation weekend party
correcthorsebatterystaple thequickbrownfox tobeornottobe maytheforcebewithyou winteriscoming onceuponatime
`
